#include "main/prepare_process.hpp"

#include "main/node_commands.hpp"
#include "main/process_memory.hpp"

#include <cstdlib>
#include <sys/resource.h>

namespace duckherder {

namespace {

//! One allocator for all messages, whose memory process_memory can reuse and give back
void UseOneAllocator() {
	process_memory::KeepFreedMemory();
	setenv("ARROW_DEFAULT_MEMORY_POOL", "system", 0);
}

//! What gRPC writes about connections that come and go is no line of our log, and errors carry what matters to users
void SilenceGrpc() {
	setenv("GRPC_VERBOSITY", "NONE", 0);
}

//! Strangers may open connections and keep them: as many as the system allows are none too many
void RaiseFileLimit() {
	rlimit limit {};
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

} // namespace

void PrepareProcess() {
	UseOneAllocator();
	SilenceGrpc();
	RaiseFileLimit();
	BlockStopSignals();
}

} // namespace duckherder
