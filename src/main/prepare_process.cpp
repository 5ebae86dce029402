#include "main/prepare_process.hpp"

#include "main/node_commands.hpp"

#include <cstdlib>
#include <malloc.h>
#include <sys/resource.h>

namespace duckherder {

namespace {

//! Blocks of at least this size are mapped and go back to the system when freed: a message of an exchange is larger
constexpr int MAPPED_BLOCK_BYTES = 128 << 10;

//! A node promises to stay within its memory limit, which DuckDB keeps only for what it allocates itself. Messages are
//! large, short-lived, and freed by other threads than those that made them, the worst case for allocators that keep
//! what they have: a quarter of a 200 MB limit was memory that nobody used.
void GiveMessagesBackToTheSystem() {
	// Setting the threshold also keeps glibc from raising it by itself.
	mallopt(M_MMAP_THRESHOLD, MAPPED_BLOCK_BYTES);
	setenv("ARROW_DEFAULT_MEMORY_POOL", "system", 0);
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
	GiveMessagesBackToTheSystem();
	RaiseFileLimit();
	BlockStopSignals();
}

} // namespace duckherder
