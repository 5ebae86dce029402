#pragma once

#include "common/ids.hpp"
#include "common/task_error.hpp"
#include "plan/stage_graph.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

//! Messages between nodes, as plain structs; codec/ turns them into bytes.
namespace duckherder {

//! Raised with every change that an older node could misread.
constexpr uint32_t PROTOCOL_VERSION = 8;

//! How a node is reached: "inproc" is this process, otherwise "grpc://host:port" or "grpc+tls://host:port".
struct WorkerAddress {
	WorkerId id;
	std::string location;
};

//! The finished output of one task, at the worker that made it.
struct OutputLocation {
	TaskId task = 0;
	Attempt attempt = 0;
	WorkerAddress worker;
	//! The rows of each partition, encoded, if there are few: nobody has to fetch them then. Null: they are at the
	//! worker
	std::shared_ptr<const std::vector<std::string>> rows;
};

//! All outputs of one producing stage, in task order. What of them a task reads is said by its split.
struct StageInput {
	StageId stage = 0;
	ExchangeKind kind = ExchangeKind::HASH;
	//! Of each output
	uint32_t partition_count = 1;
	//! Each task reads all partitions, although they are of a hash exchange
	bool whole = false;
	std::vector<OutputLocation> outputs;
};

using StageInputs = std::vector<StageInput>;

//! A scan may leave out the rows whose column is not in the key set.
struct ScanFilter {
	//! Position among the scan's column ids
	uint32_t column = 0;
	//! An encoded KeySet
	std::shared_ptr<const std::string> key_set;
};

//! Run one attempt of one task. Self-contained: a worker needs no memory of earlier messages.
struct TaskRequest {
	QueryId query_id;
	StageId stage_id = 0;
	TaskId task_id = 0;
	Attempt attempt = 0;
	WorkerId worker_id;
	std::shared_ptr<const std::string> fragment;
	Exchange output;
	ScanSplit split;
	//! Shared by the tasks of the stage, as the fragment is. Null: it reads no exchanges
	std::shared_ptr<const StageInputs> inputs;
	//! Requests with the same query, stage and version have the same fragment, inputs, scan filters and settings,
	//! so that a transport need send them only once
	uint32_t stage_version = 0;
	//! For the scan of the fragment; a scan that the session feeds is filtered there
	std::vector<ScanFilter> scan_filters;
	//! All settings of the session that change results (engine/result_settings.hpp), as SET name = 'value'
	std::vector<std::pair<std::string, std::string>> settings;
	//! The transaction's now(), microseconds since the epoch, so that all tasks agree
	int64_t transaction_start_us = 0;
	//! An output of at most so many bytes comes with the result; 0: none. Set by a transport for which it costs a call
	//! to fetch an output
	uint64_t inline_bytes_max = 0;
};

//! How an attempt ended. With `failed` only `error` means anything.
struct TaskResult {
	bool failed = false;
	TaskError error;
	//! Rows and bytes (uncompressed, in memory) of the output; one entry per partition
	std::vector<uint64_t> partition_rows;
	std::vector<uint64_t> partition_bytes;
	//! Rows that the task's base scan or feed delivered
	uint64_t input_rows = 0;
	//! Rows that the scan left out one by one because of scan_filters
	uint64_t pruned_rows = 0;
	//! The rows of each partition, encoded; empty if the output has to be fetched
	std::vector<std::string> inline_rows;
	//! Encoded key sets, in the order of the exchange's collected_keys
	std::vector<std::string> key_sets;
	//! The most that was seen in the worker's temporary files while the task wrote its output, whoever put it there
	uint64_t spilled_bytes = 0;
	uint64_t duration_us = 0;
	//! CPU is not attributable per task inside DuckDB's thread pool; duration is what a task is judged by
	uint64_t Rows() const {
		uint64_t total = 0;
		for (auto rows : partition_rows) {
			total += rows;
		}
		return total;
	}
	uint64_t Bytes() const {
		uint64_t total = 0;
		for (auto bytes : partition_bytes) {
			total += bytes;
		}
		return total;
	}
};

//! Read partitions that follow each other of one finished task.
struct FetchRequest {
	QueryId query_id;
	StageId stage_id = 0;
	TaskId task_id = 0;
	Attempt attempt = 0;
	uint32_t partition = 0;
	uint32_t partition_count = 1;
	WorkerId worker_id;
};

enum class WorkerState : uint8_t {
	ACTIVE = 0,
	DRAINING = 1,
	LOST = 2,
	//! Its database is invalid, and it is about to end
	BROKEN = 3
};

const char *WorkerStateName(WorkerState state);

//! A DuckDB extension that was loaded into a node.
struct ExtensionVersion {
	std::string name;
	std::string version;
};

//! What a worker says of itself: at registration, in heartbeats, and when asked.
struct WorkerInfo {
	WorkerAddress address;
	//! Differs with each start of a worker, and when its database is replaced: outputs of another one are not there
	std::string incarnation;
	WorkerState state = WorkerState::ACTIVE;
	std::string duckdb_version;
	uint32_t protocol_version = PROTOCOL_VERSION;
	uint32_t threads = 1;
	uint64_t memory_limit_bytes = 0;
	uint64_t memory_used_bytes = 0;
	uint32_t running_tasks = 0;
	//! Queries whose outputs it keeps
	uint32_t leased_queries = 0;
	//! Those that are no part of DuckDB itself
	std::vector<ExtensionVersion> extensions;
	//! Set by whoever keeps the list; ms since the last sign of life
	uint64_t heartbeat_age_ms = 0;
	//! Set by whoever keeps the list; others have to be asked how they are
	bool sends_heartbeats = false;
};

} // namespace duckherder
