#include "main/process_memory.hpp"

#include "common/limits.hpp"

#include "duckdb/common/exception.hpp"
#include "duckdb/common/file_system.hpp"
#include "duckdb/common/string_util.hpp"
#include "duckdb/main/config.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <malloc.h>
#include <time.h>
#include <unistd.h>

namespace duckherder::process_memory {

using namespace duckdb;

namespace {

//! The most that glibc allows: larger blocks are mapped for themselves, and go back when freed
constexpr uint64_t KEPT_BLOCK_BYTES_MAX = 32ULL << 20;
//! So much at the end of each of the C library's arenas is kept
constexpr uint64_t KEPT_BYTES_MAX = 512ULL << 20;
//! Of the limit, or of what the machine or the control group has; a process has several arenas
constexpr uint64_t KEPT_BLOCK_PART = 64;
constexpr uint64_t KEPT_PART = 16;

//! A process that has used less than so much CPU time in so long has nothing to do
constexpr int64_t IDLE_CPU_MS = 100;
constexpr int64_t IDLE_MS = 2000;
constexpr uint64_t IDLE_LOOK_MS = 100;

//! It takes some time until a block of this size has been written, and until then it is not resident
constexpr uint64_t SLOWLY_WRITTEN_BYTES = 32ULL << 20;

std::atomic<uint64_t> limit {0};
//! Bytes of such blocks that were given out since a moment ago
std::atomic<uint64_t> unwritten {0};
std::atomic<int64_t> unwritten_since {0};

std::string TooMuch(uint64_t resident) {
	return StringUtil::Format("The process uses %s, its --memory-limit is %s: make the query smaller, run fewer at a "
	                          "time, or give the node more memory",
	                          StringUtil::BytesToHumanReadableString(resident),
	                          StringUtil::BytesToHumanReadableString(limit));
}

int64_t NowMs() {
	using namespace std::chrono;
	return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

void KeepFreed(uint64_t memory_bytes) {
	mallopt(M_MMAP_THRESHOLD, static_cast<int>(std::min(memory_bytes / KEPT_BLOCK_PART, KEPT_BLOCK_BYTES_MAX)));
	mallopt(M_TRIM_THRESHOLD, static_cast<int>(std::min(memory_bytes / KEPT_PART, KEPT_BYTES_MAX)));
}

int64_t CpuMs() {
	timespec time {};
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return int64_t(time.tv_sec) * 1000 + time.tv_nsec / 1000000;
}

//! What was freed, but is still the allocators'
void GiveBack() {
	Allocator::FlushAll();
	malloc_trim(0);
}

//! Throws what the query that asks for the block gets
void CheckRoom(idx_t bytes) {
	auto bound = Bound();
	if (bound == 0 || bytes < limits::LARGE_BLOCK_BYTES) {
		return;
	}
	auto now = NowMs();
	if (now - unwritten_since > static_cast<int64_t>(limits::LARGE_BLOCK_TOUCHED_MS)) {
		unwritten_since = now;
		unwritten = 0;
	}
	auto slowly = bytes >= SLOWLY_WRITTEN_BYTES ? bytes : 0;
	auto expected = unwritten.fetch_add(slowly) + bytes;
	if (expected + Resident() > bound) {
		GiveBack();
	}
	if (expected + Resident() > bound) {
		unwritten.fetch_sub(slowly);
		throw OutOfMemoryException("%s more would be too much. %s", StringUtil::BytesToHumanReadableString(bytes),
		                           TooMuch(Resident()));
	}
}

data_ptr_t Allocate(PrivateAllocatorData *data, idx_t bytes) {
	CheckRoom(bytes);
	return Allocator::DefaultAllocate(data, bytes);
}

data_ptr_t Reallocate(PrivateAllocatorData *data, data_ptr_t block, idx_t old_bytes, idx_t bytes) {
	if (bytes > old_bytes) {
		CheckRoom(bytes);
	}
	return Allocator::DefaultReallocate(data, block, old_bytes, bytes);
}

} // namespace

void KeepFreedMemory() {
	auto files = FileSystem::CreateLocal();
	KeepFreed(DBConfig::GetSystemAvailableMemory(*files));
}

void SetLimit(uint64_t bytes) {
	limit = bytes;
	if (bytes > 0) {
		KeepFreed(bytes);
		Allocator::DefaultAllocatorReference() = duckdb::shared_ptr<Allocator>(MakeAllocator().release());
	}
}

uint64_t Bound() {
	return limit + limit / 100 * limits::PROCESS_MEMORY_MARGIN_PERCENT;
}

uint64_t Resident() {
	static const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	static const auto page_bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
	char text[128] = {};
	if (file < 0 || pread(file, text, sizeof(text) - 1, 0) <= 0) {
		return 0;
	}
	// pages: the whole size, what is resident, and what of that is shared
	char *rest = nullptr;
	std::strtoull(text, &rest, 10);
	uint64_t resident = std::strtoull(rest, &rest, 10);
	uint64_t shared = std::strtoull(rest, &rest, 10);
	return resident > shared ? (resident - shared) * page_bytes : 0;
}

duckdb::unique_ptr<Allocator> MakeAllocator() {
	if (limit == 0) {
		return nullptr;
	}
	return make_uniq<Allocator>(Allocate, Allocator::DefaultFree, Reallocate, make_uniq<PrivateAllocatorData>());
}

Watch::Watch(std::function<void(const std::string &error)> relieve_p)
    : relieve(std::move(relieve_p)), thread([this] { Run(); }) {
}

Watch::~Watch() {
	stopping = true;
	thread.join();
}

void Watch::Run() {
	auto beyond = false;
	while (!stopping) {
		beyond = limit > 0 && CheckBound(beyond);
		GiveBackWhenIdle();
		auto look = limit > 0 ? limits::PROCESS_MEMORY_LOOK_INTERVAL_MS : IDLE_LOOK_MS;
		auto pause = beyond ? limits::PROCESS_MEMORY_RELIEF_MS : look;
		std::this_thread::sleep_for(std::chrono::milliseconds(pause));
	}
}

bool Watch::CheckBound(bool was_beyond) {
	auto resident = Resident();
	if (resident > Bound()) {
		GiveBack();
		resident = Resident();
	}
	if (resident > Bound()) {
		relieve(TooMuch(resident));
		return true;
	}
	if (was_beyond) {
		relieve("");
	}
	return false;
}

void Watch::GiveBackWhenIdle() {
	auto now = NowMs();
	auto cpu = CpuMs();
	if (cpu - busy_cpu_ms > IDLE_CPU_MS) {
		busy_cpu_ms = cpu;
		busy_at_ms = now;
		has_given_back = false;
	} else if (!has_given_back && now - busy_at_ms >= IDLE_MS) {
		has_given_back = true;
		GiveBack();
		busy_cpu_ms = CpuMs();
	}
}

} // namespace duckherder::process_memory
