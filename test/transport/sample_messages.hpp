#pragma once

#include "common/limits.hpp"
#include "protocol/messages.hpp"

#include <gtest/gtest.h>

#include <string>
#include <tuple>
#include <utility>

//! Messages with every field set, and how they compare. The bindings name all members of a struct: a field that is
//! added to a message does not compile here until the samples know it.
namespace duckherder {

inline auto Members(const WorkerAddress &m) {
	auto &[id, location] = m;
	return std::tie(id, location);
}

inline auto Members(const OutputLocation &m) {
	static const std::vector<std::string> none;
	auto &[task, attempt, worker, rows] = m;
	auto &texts = rows ? *rows : none;
	return std::tie(task, attempt, worker, texts);
}

inline auto Members(const StageInput &m) {
	auto &[stage, kind, partition_count, whole, outputs] = m;
	return std::tie(stage, kind, partition_count, whole, outputs);
}

inline auto Members(const CollectedKey &m) {
	auto &[column, log2_bits] = m;
	return std::tie(column, log2_bits);
}

inline auto Members(const ScanFilter &m) {
	static const std::string none;
	auto &[column, key_set] = m;
	auto &text = key_set ? *key_set : none;
	return std::tie(column, text);
}

inline auto Members(const KeyOrder &m) {
	auto &[descending, nulls_first] = m;
	return std::tie(descending, nulls_first);
}

inline auto Members(const Exchange &m) {
	auto &[kind, key_columns, key_orders, bounds, partition_count, column_count, ordered, collected] = m;
	return std::tie(kind, key_columns, key_orders, bounds, partition_count, column_count, ordered, collected);
}

inline auto Members(const OutputSlice &m) {
	auto &[stage, first_task, end_task] = m;
	return std::tie(stage, first_task, end_task);
}

inline auto Members(const ScanFile &m) {
	auto &[path, written, has_version, immutable, size, etag, last_modified, footer, local, footer_hash] = m;
	return std::tie(path, written, has_version, immutable, size, etag, last_modified, footer, local, footer_hash);
}

inline auto Members(const RowRange &m) {
	auto &[start, end] = m;
	return std::tie(start, end);
}

inline auto Members(const PartitionSplit &m) {
	auto &[partition, count, slice] = m;
	return std::tie(partition, count, slice);
}

inline auto Members(const RowsSplit &m) {
	auto &[file, rows] = m;
	return std::tie(file, rows);
}

inline auto Members(const ModuloSplit &m) {
	auto &[modulus, remainder] = m;
	return std::tie(modulus, remainder);
}

inline auto Members(const FileSplit &m) {
	auto &[files] = m;
	return std::tie(files);
}

inline auto Members(const FeedSplit &m) {
	auto &[readers] = m;
	return std::tie(readers);
}

inline auto Members(const KeyRange &m) {
	auto &[column, first, last] = m;
	return std::tie(column, first, last);
}

inline auto Members(const AlignedSplit &m) {
	auto &[table_index, part, keys] = m;
	return std::tie(table_index, part, keys);
}

inline auto Members(const ScanSplit &m) {
	auto &[table_index, fed, part, keys, aligned] = m;
	return std::tie(table_index, fed, part, keys, aligned);
}

inline auto Members(const TaskRequest &m) {
	static const std::string none;
	static const StageInputs no_inputs;
	auto &[query_id, stage_id, task_id, attempt, worker_id, incarnation, fragment, output, split, inputs, version,
	       filters, settings, start, inline_max] = m;
	auto &text = fragment ? *fragment : none;
	auto &list = inputs ? *inputs : no_inputs;
	return std::tie(query_id, stage_id, task_id, attempt, worker_id, incarnation, text, output, split, list, version,
	                filters, settings, start, inline_max);
}

inline auto Members(const TaskError &m) {
	auto &[kind, exception_type, message, worker_id, lost_worker, breaks_worker, extra_info] = m;
	return std::tie(kind, exception_type, message, worker_id, lost_worker, breaks_worker, extra_info);
}

inline auto Members(const InputRead &m) {
	auto &[stage, inline_bytes, local_bytes, network_bytes, first_us, last_us, wait_us] = m;
	return std::tie(stage, inline_bytes, local_bytes, network_bytes, first_us, last_us, wait_us);
}

inline auto Members(const TaskResult &m) {
	auto &[failed, error, partition_rows, partition_bytes, input_rows, pruned_rows, inline_rows, key_sets, key_sample,
	       spilled, duration_us, prepared_us, reads] = m;
	return std::tie(failed, error, partition_rows, partition_bytes, input_rows, pruned_rows, inline_rows, key_sets,
	                key_sample, spilled, duration_us, prepared_us, reads);
}

inline auto Members(const FetchRequest &m) {
	auto &[query_id, stage_id, task_id, attempt, partition, partition_count, worker_id] = m;
	return std::tie(query_id, stage_id, task_id, attempt, partition, partition_count, worker_id);
}

inline auto Members(const ExtensionVersion &m) {
	auto &[name, version] = m;
	return std::tie(name, version);
}

inline auto Members(const WorkerInfo &m) {
	auto &[address, incarnation, state, version, protocol, threads, limit, used, running, kept, kept_bytes, temporary,
	       extensions, age, beats] = m;
	return std::tie(address, incarnation, state, version, protocol, threads, limit, used, running, kept, kept_bytes,
	                temporary, extensions, age, beats);
}

inline auto Members(const QueryReport &m) {
	auto &[query_id, session, sql, mode, state, local_reason, error, start_time_us, duration_us, num_stages,
	       num_workers_used, retries, bytes_exchanged, tasks, tasks_done, tasks_running, scanned_rows, pruned_rows,
	       spilled_bytes, traced] = m;
	return std::tie(query_id, session, sql, mode, state, local_reason, error, start_time_us, duration_us, num_stages,
	                num_workers_used, retries, bytes_exchanged, tasks, tasks_done, tasks_running, scanned_rows,
	                pruned_rows, spilled_bytes, traced);
}

template <class T>
concept Message = requires(const T &message) { Members(message); };

template <Message T>
bool operator==(const T &left, const T &right) {
	return Members(left) == Members(right);
}

//! Fails unless every member of the sample, however deep, differs from its default: only then does a lost one show
template <Message T>
void ExpectAllSet(const T &sample) {
	static const T defaults;
	[&]<size_t... I>(std::index_sequence<I...>) {
		auto is = Members(sample);
		auto was = Members(defaults);
		auto check = [](const auto &set, const auto &unset, size_t number) {
			EXPECT_FALSE(set == unset) << "member " << number << " has its default";
			if constexpr (requires { Members(set); }) {
				ExpectAllSet(set);
			}
		};
		(check(std::get<I>(is), std::get<I>(was), I), ...);
	}(std::make_index_sequence<std::tuple_size_v<decltype(Members(sample))>>());
}

inline StageInput SampleInput(StageId stage, ExchangeKind kind) {
	StageInput input;
	input.stage = stage;
	input.kind = kind;
	input.partition_count = 3;
	input.whole = true;
	auto rows = std::make_shared<const std::vector<std::string>>(
	    std::vector<std::string> {std::string("rows\0\xFE", 6), "", "more"});
	input.outputs.push_back({1, 2, {"w2", "grpc://10.0.0.2:8815"}, rows});
	input.outputs.push_back({4000000000U, 7, {"wörker 3", "inproc"}, nullptr});
	return input;
}

//! A split of each kind
inline std::vector<SplitPart> SampleParts() {
	ScanFile file("s3://b/a.parquet");
	file.has_version = true;
	file.immutable = true;
	file.size_bytes = 1ULL << 33;
	file.etag = "\"3a-1\"";
	file.last_modified_us = -5;
	file.footer_bytes = 812;
	RowRange rows {122880, (1ULL << 63) + 1};
	return {PartitionSplit {9, 3, {2, 3, 4}},
	        RowGroupSplit {{file, rows}},
	        RangeSplit {{file, rows}},
	        ModuloSplit {7, 5},
	        FeedSplit {3},
	        FileSplit {{file, ScanFile(), ScanFile("it's one.parquet")}}};
}

inline TaskRequest SampleTaskRequest() {
	TaskRequest request;
	request.query_id = "query-1";
	request.stage_id = 2;
	request.task_id = 3;
	request.attempt = 4;
	request.worker_id = "w1";
	request.fragment = std::make_shared<const std::string>(std::string("plan\0with \xFF bytes", 17));
	request.output.kind = ExchangeKind::HASH;
	request.output.key_columns = {1, 0, 5};
	request.output.partition_count = 6;
	request.output.column_count = 5;
	request.output.ordered = false;
	request.output.collected_keys = {{3, 20}, {1, 18}};
	request.output.key_orders = {{true, false}, {false, true}, {true, true}};
	request.output.bounds = {std::string("\0low", 4), "high \xFF"};
	request.split.table_index = 1ULL << 40;
	request.split.fed = true;
	request.split.part = SampleParts().back();
	request.split.keys = {4, -1, 1};
	request.split.aligned = {{7, RowGroupSplit {{ScanFile("b.parquet"), {3, 5}}}, {2, -4, 6}}};
	request.scan_filters = {{2, std::make_shared<const std::string>(std::string("keys\0\xFF", 6))}};
	request.inputs = std::make_shared<const StageInputs>(
	    StageInputs {SampleInput(1, ExchangeKind::GATHER), SampleInput(0, ExchangeKind::BROADCAST)});
	request.stage_version = 12;
	request.worker_incarnation = "5d1f";
	request.settings = {{"TimeZone", "Asia/Kathmandu"}, {"default_order", ""}};
	request.transaction_start_us = -5;
	// what a transport that has to fetch outputs sets anyway
	request.inline_bytes_max = limits::INLINE_OUTPUT_BYTES_MAX;
	return request;
}

inline TaskError SampleTaskError(ErrorKind kind = ErrorKind::LOST_INPUT) {
	return {kind, "Conversion", "Could not convert 'ä\n' to INT32", "w1",
	        "w2", true,         {{"position", "7"}, {"errno", ""}}};
}

inline TaskResult SampleTaskResult() {
	TaskResult result;
	result.failed = true;
	result.error = SampleTaskError();
	result.partition_rows = {0, 1, 1ULL << 50};
	result.partition_bytes = {9, 8, 0};
	result.input_rows = 1234567890123;
	result.pruned_rows = 77;
	result.inline_rows = {std::string("\0rows", 5), "", "more"};
	result.key_sets = {"one", std::string("\0two", 4)};
	result.key_sample = std::string("\0a sample \xFF", 11);
	result.spilled_bytes = 1ULL << 33;
	result.duration_us = 42;
	result.prepared_us = 3;
	result.reads = {{4, 1, 2, 1ULL << 40, 5, 6, 7}};
	return result;
}

inline FetchRequest SampleFetchRequest() {
	return {"query-1", 2, 3, 4, 5, 6, "w1"};
}

inline WorkerInfo SampleWorkerInfo() {
	WorkerInfo info;
	info.address = {"w1", "grpc+tls://host:1"};
	info.incarnation = "second";
	info.state = WorkerState::BROKEN;
	info.duckdb_version = "v9.9.9";
	info.protocol_version = PROTOCOL_VERSION + 1;
	info.threads = 17;
	info.memory_limit_bytes = 1ULL << 41;
	info.memory_used_bytes = 1ULL << 33;
	info.running_tasks = 3;
	info.leased_queries = 2;
	info.kept_bytes = 1ULL << 35;
	info.temporary_bytes = 1ULL << 36;
	info.extensions = {{"httpfs", "v1.5.5"}, {"spatial", "a1b2c3d"}};
	info.heartbeat_age_ms = 999;
	info.sends_heartbeats = true;
	return info;
}

inline QueryReport SampleQueryReport() {
	return {"query-1", "host:17", "SELECT 'ä'", "PARTIAL", "FAILED", "reason", "error",    -5, 6,          7,
	        8,         9,         1ULL << 40,   11,        10,       1,        1ULL << 41, 13, 1ULL << 33, true};
}

} // namespace duckherder
