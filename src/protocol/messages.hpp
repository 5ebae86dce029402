#pragma once

#include "common/ids.hpp"
#include "common/task_error.hpp"
#include "plan/stage_graph.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

//! Messages between nodes, as plain structs. The folder wire/ turns them into bytes.
namespace duckherder {

//! The number is raised with every change that an older node could misread.
constexpr uint32_t PROTOCOL_VERSION = 12;

//! How a node is reached: "inproc" is this process, any other location is "grpc://host:port" or "grpc+tls://host:port".
struct WorkerAddress {
	WorkerId id;
	std::string location;
};

//! The finished output of one task, at the worker that made it.
struct OutputLocation {
	TaskId task = 0;
	Attempt attempt = 0;
	WorkerAddress worker;
	//! The rows of each partition, encoded, if there are few: nobody has to fetch them then. With null they are at the
	//! worker.
	std::shared_ptr<const std::vector<std::string>> rows;
};

//! All outputs of one producing stage, in task order. The split of a task says which of them it reads.
struct StageInput {
	StageId stage = 0;
	ExchangeKind kind = ExchangeKind::HASH;
	//! Each output has this many partitions.
	uint32_t partition_count = 1;
	//! Each task reads all partitions, although they are of a partitioned exchange.
	bool whole = false;
	std::vector<OutputLocation> outputs;
};

using StageInputs = std::vector<StageInput>;

//! A scan may leave out the rows whose column is not in the key set.
struct ScanFilter {
	//! The column has this position among the scan's column ids.
	uint32_t column = 0;
	//! The key set is an encoded KeySet.
	std::shared_ptr<const std::string> key_set;
};

//! Asks a worker to run one attempt of one task. The request is self-contained: a worker needs no memory of earlier
//! messages.
struct TaskRequest {
	QueryId query_id;
	StageId stage_id = 0;
	TaskId task_id = 0;
	Attempt attempt = 0;
	WorkerId worker_id;
	//! WorkerInfo::incarnation as the sender knows it. A worker of another one refuses the task (ErrorKind::REPLACED),
	//! so that what the sender holds for lost when it hears of the new one is not what that one has made. An empty one
	//! fits any.
	std::string worker_incarnation;
	std::shared_ptr<const std::string> fragment;
	Exchange output;
	ScanSplit split;
	//! The tasks of the stage share the inputs, as they share the fragment. With null the stage reads no exchanges.
	std::shared_ptr<const StageInputs> inputs;
	//! Requests with the same query, stage and version have the same fragment, inputs, scan filters and settings, so
	//! that a transport needs to send them only once.
	uint32_t stage_version = 0;
	//! The filters are for the scan of the fragment. The session itself filters a scan that it feeds.
	std::vector<ScanFilter> scan_filters;
	//! All settings of the session that change results (engine/result_settings.hpp), as SET name = 'value'.
	std::vector<std::pair<std::string, std::string>> settings;
	//! This is the transaction's now(), in microseconds since the epoch, so that all tasks agree.
	int64_t transaction_start_us = 0;
	//! An output of at most this many bytes comes with the result; with 0 none does. A transport sets it if it costs a
	//! call to fetch an output.
	uint64_t inline_bytes_max = 0;
};

//! What a task has read of one of its inputs, for people. Bytes are counted as they came: uncompressed in memory from
//! the worker itself, encoded otherwise.
struct InputRead {
	StageId stage = 0;
	//! The rows came with the request.
	uint64_t inline_bytes = 0;
	//! The worker that runs the task has made the rows.
	uint64_t local_bytes = 0;
	uint64_t network_bytes = 0;
	//! The first and the last row was read this long after the task began.
	uint64_t first_us = 0;
	uint64_t last_us = 0;
	//! All threads together spent this time to open outputs of other workers, wait for their rows and decode them.
	uint64_t wait_us = 0;
};

//! How an attempt ended. If `failed` is set, only `error` means anything.
struct TaskResult {
	bool failed = false;
	TaskError error;
	//! The rows and bytes (uncompressed, in memory) of the output, with one entry per partition.
	std::vector<uint64_t> partition_rows;
	std::vector<uint64_t> partition_bytes;
	//! The task's base scan or feed delivered this many rows.
	uint64_t input_rows = 0;
	//! The scan left out this many rows one by one because of scan_filters.
	uint64_t pruned_rows = 0;
	//! The rows of each partition, encoded. The list is empty if the output has to be fetched.
	std::vector<std::string> inline_rows;
	//! The key sets are encoded, in the order of the exchange's collected_keys.
	std::vector<std::string> key_sets;
	//! The sample is an encoded KeySample, or empty if the exchange asks for none.
	std::string key_sample;
	//! This is the most that was seen in the worker's temporary files while the task wrote its output, whoever put it
	//! there.
	uint64_t spilled_bytes = 0;
	uint64_t duration_us = 0;
	//! DuckDB began to run the fragment this long after the task began: it was decoded and planned before.
	uint64_t prepared_us = 0;
	//! One entry for each input that the fragment has read.
	std::vector<InputRead> reads;
	//! A task is judged by its duration, because CPU time cannot be attributed to a task inside DuckDB's thread pool.
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

//! Asks for partitions of one finished task that follow each other.
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
	//! The worker's database is invalid, and it is about to end.
	BROKEN = 3
};

const char *WorkerStateName(WorkerState state);

//! A DuckDB extension that was loaded into a node.
struct ExtensionVersion {
	std::string name;
	std::string version;
};

//! What a session tells a driver about a query that runs on the driver's workers, for people.
struct QueryReport {
	QueryId query_id;
	//! Names the session's process: "host:pid".
	std::string session;
	std::string sql;
	//! As the views write it: DISTRIBUTED or PARTIAL, and QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED.
	std::string mode;
	std::string state;
	std::string local_reason;
	std::string error;
	int64_t start_time_us = 0;
	uint64_t duration_us = 0;
	uint32_t num_stages = 0;
	uint32_t num_workers_used = 0;
	uint64_t retries = 0;
	uint64_t bytes_exchanged = 0;
	uint64_t tasks = 0;
	uint64_t tasks_done = 0;
	uint64_t tasks_running = 0;
	uint64_t scanned_rows = 0;
	uint64_t pruned_rows = 0;
	uint64_t spilled_bytes = 0;
	//! The session sends the query's trace to a collector itself.
	bool traced = false;
};

//! What a worker says of itself: at registration, in heartbeats, and when asked.
struct WorkerInfo {
	WorkerAddress address;
	//! The name differs with each start of a worker, and when its database is replaced: outputs of another incarnation
	//! are not there.
	std::string incarnation;
	WorkerState state = WorkerState::ACTIVE;
	std::string duckdb_version;
	uint32_t protocol_version = PROTOCOL_VERSION;
	uint32_t threads = 1;
	uint64_t memory_limit_bytes = 0;
	uint64_t memory_used_bytes = 0;
	uint32_t running_tasks = 0;
	//! The worker keeps outputs of this many queries.
	uint32_t leased_queries = 0;
	//! The outputs that it keeps have this many bytes, uncompressed, and its temporary files this many on disk.
	uint64_t kept_bytes = 0;
	uint64_t temporary_bytes = 0;
	//! These are the loaded extensions that are no part of DuckDB itself.
	std::vector<ExtensionVersion> extensions;
	//! Whoever keeps the list sets this: the time in ms since the last sign of life.
	uint64_t heartbeat_age_ms = 0;
	//! Whoever keeps the list sets this. Workers that send no heartbeats have to be asked how they are.
	bool sends_heartbeats = false;
};

} // namespace duckherder
