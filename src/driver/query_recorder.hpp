#pragma once

#include "common/ids.hpp"
#include "plan/stage_graph.hpp"
#include "protocol/messages.hpp"

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace duckherder {

//! One attempt-carrying task as users see it in duckherder_tasks()
struct TaskRecord {
	StageId stage_id = 0;
	DistributedPipelineTask task;
	WorkerId worker_id;
	Attempt attempt = 0;
	//! It was slow, so a second attempt was started elsewhere
	bool speculative = false;
	//! QUEUED, RUNNING, DONE, FAILED, CANCELLED
	std::string state = "QUEUED";
	//! Read by the scan, if there is one, otherwise put out
	uint64_t rows = 0;
	uint64_t input_rows = 0;
	uint64_t output_rows = 0;
	//! Put out
	uint64_t bytes = 0;
	//! Left out by the scan, one by one, because of keys that other stages have found
	uint64_t pruned_rows = 0;
	//! TaskResult::spilled_bytes
	uint64_t spilled_bytes = 0;
	uint64_t duration_us = 0;
};

enum class ExecutionMode : uint8_t { LOCAL, PARTIAL, DISTRIBUTED };

const char *ExecutionModeName(ExecutionMode mode);

struct QueryRecord {
	QueryId query_id;
	std::string sql;
	ExecutionMode mode = ExecutionMode::LOCAL;
	//! Why not fully distributed
	std::string local_reason;
	std::string partition_strategy;
	std::string merge_strategy;
	uint32_t num_stages = 0;
	uint32_t num_workers_used = 0;
	uint64_t retries = 0;
	//! Bytes that crossed exchanges, uncompressed
	uint64_t bytes_exchanged = 0;
	uint64_t duration_us = 0;
	int64_t start_time_us = 0;
	//! RUNNING, SUCCEEDED, FAILED, CANCELLED
	std::string state = "RUNNING";
	std::string error;
	std::vector<TaskRecord> tasks;
};

//! Remembers queries for the statistics functions, running ones included, bounded by limits::HISTORY_*. Thread-safe.
class QueryRecorder {
public:
	using Entry = std::shared_ptr<QueryRecord>;

	//! The record stays the recorder's; change it only through Update.
	Entry Begin(QueryRecord record);
	template <class CHANGE>
	void Update(const Entry &entry, CHANGE change) {
		std::lock_guard<std::mutex> guard(lock);
		change(*entry);
	}
	//! Oldest first.
	std::vector<QueryRecord> Snapshot() const;
	//! Forgets what has ended.
	void Clear();

private:
	void Trim();

	mutable std::mutex lock;
	std::deque<Entry> queries;
};

} // namespace duckherder
