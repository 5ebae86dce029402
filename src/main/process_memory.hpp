#pragma once

#include "duckdb/common/allocator.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

namespace duckherder {

//! The memory limit of a node as a limit of its process. DuckDB keeps `memory_limit` for what goes through its buffer
//! manager; strings and lists that functions make, states of aggregates and the like it takes from its allocators
//! without counting. Those are refused here, as an out-of-memory error of the query that asks, when the resident size
//! of the process would go beyond the limit and its margin.
namespace process_memory {

//! The C library keeps what was freed for the next messages of exchanges, as far as the limit allows, and gives it back
//! when the process nears its limit or has nothing to do. Without this each message is mapped and its pages faulted
//! anew, which costs more than to encode it. Before any thread starts.
void KeepFreedMemory();
//! Of the whole process, bytes; 0: none. Before anything uses DuckDB, once: its default allocator is replaced.
void SetLimit(uint64_t bytes);
//! Bytes at which large blocks are refused; 0: no limit
uint64_t Bound();
//! Resident bytes of this process, without what it shares with files: code, mostly, which the system may drop
uint64_t Resident();
//! For the configuration of a database; null without a limit, which is DuckDB's own
duckdb::unique_ptr<duckdb::Allocator> MakeAllocator();

//! Looks at the resident size from a thread of its own, for what grows in small pieces. `relieve` is called while it is
//! beyond the bound, with the text of an error that says so, and when it is not any more, with an empty one. A process
//! that has nothing to do gives back what it keeps.
class Watch {
public:
	explicit Watch(std::function<void(const std::string &error)> relieve);
	~Watch();

private:
	void Run();
	//! Returns whether the process is beyond its bound.
	bool CheckBound(bool was_beyond);
	void GiveBackWhenIdle();

	std::function<void(const std::string &error)> relieve;
	//! CPU time of the process when it was last seen to work, and when that was, both in ms
	int64_t busy_cpu_ms = 0;
	int64_t busy_at_ms = 0;
	bool has_given_back = true;
	std::atomic<bool> stopping {false};
	std::thread thread;
};

} // namespace process_memory

} // namespace duckherder
