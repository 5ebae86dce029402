#pragma once

#include "common/limits.hpp"
#include "planner/interface/machines.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace duckherder {

//! What the planner may assume; taken from the session's settings and the cluster's state when the query is planned.
struct PlannerOptions {
	//! Active workers, at least 1
	uint32_t workers = 1;
	//! Bounds the tasks of a scan: at most this times the workers
	uint32_t tasks_per_worker = limits::TASKS_PER_WORKER_DEFAULT;
	//! Build sides estimated above this many bytes are shuffled instead of broadcast
	uint64_t broadcast_limit_bytes = limits::BROADCAST_BYTES;
	//! The memory limit of the smallest worker; 0 if that is not known
	uint64_t worker_memory_bytes = 0;
	//! Partitions of an exchange are read together until they have this many bytes
	uint64_t min_task_bytes = limits::TASK_BYTES_MIN;
	//! Keys of finished build sides filter the scans of other stages
	bool dynamic_filters = true;
	//! A plan none of whose scans reaches this many rows stays local
	uint64_t min_rows = limits::MIN_DISTRIBUTED_ROWS;
	//! With these, the plan stays local unless it is estimated to be faster on workers
	std::optional<Machines> machines;
	//! That was estimated already, before DuckDB has optimized the plan
	bool is_decided = false;
	//! Directories that are the same at all workers and here, so that workers may write below them
	std::vector<std::string> shared_paths;
	//! The session's settings that change results (engine/result_settings.hpp), as they are while the plan is made: a
	//! prepared statement keeps what it was bound with
	std::vector<std::pair<std::string, std::string>> result_settings;
	//! The session's random numbers were started from a seed (setseed)
	bool seeded = false;
	//! Optional passes of the planner that tests leave out
	std::vector<std::string> disabled_passes;

	uint32_t MaxTasks() const {
		return workers * tasks_per_worker;
	}
	//! Consuming tasks of a hash exchange: two per worker, so that an idle worker can still steal
	uint32_t Partitions() const {
		auto partitions = workers == 1 ? 1 : workers * 2;
		return partitions < limits::STAGE_PARTITIONS_MAX ? partitions : limits::STAGE_PARTITIONS_MAX;
	}
	//! Consuming tasks of a range exchange of so many bytes: as many as of a hash exchange, or more, so that a worker
	//! sorts the rows of each in its memory
	uint32_t Ranges(uint64_t bytes) const {
		auto in_memory = std::max(worker_memory_bytes / limits::SORT_MEMORY_PARTS, limits::SORTED_BYTES_MIN);
		auto wanted = workers == 1 || worker_memory_bytes == 0 ? 0 : bytes / in_memory;
		return static_cast<uint32_t>(std::max<uint64_t>(std::min<uint64_t>(wanted, limits::RANGES_MAX), Partitions()));
	}
};

} // namespace duckherder
