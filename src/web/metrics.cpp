#include "web/metrics.hpp"

#include "web/metrics_text.hpp"

#include <map>

namespace duckherder {

namespace {

void AddBuild(MetricsText &metrics, const NodeFacts &node) {
	metrics.Family("duckherder_build_info", "gauge", "Versions of this node; the value is always 1.");
	metrics.Sample(uint64_t(1), {{"node", node.kind},
	                             {"version", DUCKHERDER_VERSION},
	                             {"duckdb_version", duckdb::DuckDB::LibraryVersion()},
	                             {"protocol_version", std::to_string(PROTOCOL_VERSION)}});
}

void AddQueries(MetricsText &metrics, DatabaseState &state, const QueryTotals &totals) {
	metrics.Family("duckherder_queries_total", "counter", "Queries that have ended, by mode and state.");
	// a rate needs a value from before the first event
	auto queries = totals.queries;
	for (auto mode : {ExecutionMode::DISTRIBUTED, ExecutionMode::PARTIAL, ExecutionMode::LOCAL}) {
		for (auto ended : {"SUCCEEDED", "FAILED", "CANCELLED"}) {
			queries[{mode, ended}] += 0;
		}
	}
	for (auto &entry : queries) {
		metrics.Sample(entry.second, {{"mode", ExecutionModeName(entry.first.first)}, {"state", entry.first.second}});
	}
	std::map<std::string, uint64_t> now = {{"QUEUED", 0}, {"RUNNING", 0}};
	auto now_us = NowUs();
	state.services.recorder->ForEach([&](const QueryRecord &query) {
		auto found = now.find(query.StateAt(now_us));
		if (found != now.end()) {
			found->second++;
		}
	});
	metrics.Family("duckherder_queries", "gauge", "Queries of this node's database that have not ended, by state.");
	for (auto &entry : now) {
		metrics.Sample(entry.second, {{"state", entry.first}});
	}
	metrics.Family("duckherder_admitted_queries", "gauge",
	               "Distributed queries at this driver, those of sessions that borrow its workers included, by state.");
	metrics.Sample(static_cast<uint64_t>(state.services.cluster->RunningQueries()), {{"state", "RUNNING"}});
	metrics.Sample(static_cast<uint64_t>(state.services.cluster->QueuedQueries()), {{"state", "QUEUED"}});
	metrics.Family("duckherder_query_duration_seconds", "histogram", "How long queries took that have ended, by mode.");
	for (auto &entry : totals.durations) {
		auto mode = ExecutionModeName(entry.first);
		uint64_t below = 0;
		for (size_t bucket = 0; bucket < DURATION_BUCKETS; bucket++) {
			below += entry.second.buckets[bucket];
			auto last = bucket + 1 == DURATION_BUCKETS;
			auto bound = last ? std::string("+Inf") : duckdb::StringUtil::Format("%g", DURATION_BOUNDS_SECONDS[bucket]);
			metrics.SuffixedSample("_bucket", static_cast<double>(below), {{"mode", mode}, {"le", bound}});
		}
		metrics.SuffixedSample("_sum", static_cast<double>(entry.second.sum_us) / 1e6, {{"mode", mode}});
		metrics.SuffixedSample("_count", static_cast<double>(entry.second.count), {{"mode", mode}});
	}
}

void AddRetries(MetricsText &metrics, const QueryTotals &totals) {
	metrics.Family("duckherder_task_retries_total", "counter",
	               "Attempts of tasks after the first one failed or its output was lost, by reason.");
	auto retries = totals.retries_by_reason;
	for (auto reason : {"worker_failure", "worker_lost", "lost_input", "output_lost"}) {
		retries[reason] += 0;
	}
	for (auto &entry : retries) {
		metrics.Sample(entry.second, {{"reason", entry.first}});
	}
}

void AddReasons(MetricsText &metrics, const QueryTotals &totals) {
	metrics.Family("duckherder_not_distributed_total", "counter",
	               "Queries that have ended and did not run as a whole on workers, by mode and by the reason, without "
	               "names and numbers; at most 50 reasons, the rest is 'other'.");
	for (auto &entry : totals.reasons) {
		metrics.Sample(entry.second, {{"mode", ExecutionModeName(entry.first.first)}, {"reason", entry.first.second}});
	}
	metrics.Family("duckherder_query_queue_seconds_total", "counter", "Time that queries have waited for their place.");
	metrics.Sample(static_cast<double>(totals.queued_us) / 1e6);
}

void AddTasks(MetricsText &metrics, const QueryTotals &totals) {
	metrics.Family("duckherder_tasks_total", "counter", "Tasks of queries that have ended, by state.");
	auto tasks_by_state = totals.tasks_by_state;
	for (auto ended : {"DONE", "FAILED", "CANCELLED"}) {
		tasks_by_state[ended] += 0;
	}
	for (auto &entry : tasks_by_state) {
		metrics.Sample(entry.second, {{"state", entry.first}});
	}
	metrics.Family("duckherder_speculative_tasks_total", "counter",
	               "Tasks that were slow, so that a second attempt was started.");
	metrics.Sample(totals.speculative_tasks);
	AddRetries(metrics, totals);
	metrics.Family("duckherder_exchanged_bytes_total", "counter", "Bytes that tasks have put out, uncompressed.");
	metrics.Sample(totals.bytes_exchanged);
	metrics.Family(
	    "duckherder_exchange_read_bytes_total", "counter",
	    "Bytes that tasks have read of exchanges, by path: inline came with the request, local is the worker's "
	    "own, uncompressed, network came from another worker, encoded.");
	metrics.Sample(totals.inline_bytes, {{"path", "inline"}});
	metrics.Sample(totals.local_bytes, {{"path", "local"}});
	metrics.Sample(totals.network_bytes, {{"path", "network"}});
	metrics.Family("duckherder_scanned_rows_total", "counter", "Rows that scans of tasks have read.");
	metrics.Sample(totals.scanned_rows);
	metrics.Family("duckherder_dynamic_filter_dropped_rows_total", "counter",
	               "Rows that scans have left out because of keys that other stages have found.");
	metrics.Sample(totals.pruned_rows);
}

void AddWorkers(MetricsText &metrics, const std::vector<WorkerInfo> &workers) {
	WorkerTotals totals(workers);
	metrics.Family("duckherder_workers", "gauge", "Workers by state.");
	metrics.Sample(totals.active, {{"state", "active"}});
	metrics.Sample(totals.draining, {{"state", "draining"}});
	metrics.Sample(totals.lost, {{"state", "lost"}});
	metrics.Family("duckherder_worker_threads", "gauge", "DuckDB threads of workers that are not lost.");
	metrics.Sample(totals.threads);
	auto each = [&](const char *name, const char *help, uint64_t (*value)(const WorkerInfo &)) {
		metrics.Family(name, "gauge", help);
		for (auto &worker : workers) {
			metrics.Sample(value(worker), {{"worker", worker.address.id}});
		}
	};
	each("duckherder_worker_running_tasks", "Tasks that run, by worker.",
	     [](const WorkerInfo &worker) -> uint64_t { return worker.running_tasks; });
	each("duckherder_worker_kept_queries", "Queries whose outputs are kept, by worker.",
	     [](const WorkerInfo &worker) -> uint64_t { return worker.leased_queries; });
	each("duckherder_worker_kept_bytes", "Outputs of tasks that are kept, uncompressed, by worker.",
	     [](const WorkerInfo &worker) { return worker.kept_bytes; });
	each("duckherder_worker_temporary_bytes", "Spilled data in temporary files, by worker.",
	     [](const WorkerInfo &worker) { return worker.temporary_bytes; });
	each("duckherder_worker_memory_used_bytes", "Memory in use, by worker.",
	     [](const WorkerInfo &worker) { return worker.memory_used_bytes; });
	each("duckherder_worker_memory_limit_bytes", "Memory that may be used, by worker.",
	     [](const WorkerInfo &worker) { return worker.memory_limit_bytes; });
	metrics.Family("duckherder_worker_heartbeat_age_seconds", "gauge", "Time since the last sign of life, by worker.");
	for (auto &worker : workers) {
		metrics.Sample(static_cast<double>(worker.heartbeat_age_ms) / 1000, {{"worker", worker.address.id}});
	}
}

} // namespace

std::string WorkerMetrics(const WorkerInfo &worker, const NodeFacts &node) {
	MetricsText metrics;
	AddBuild(metrics, node);
	auto add = [&](const char *name, const char *help, uint64_t value) {
		metrics.Family(name, "gauge", help);
		metrics.Sample(value, {{"worker", worker.address.id}});
	};
	add("duckherder_worker_active", "1 if the worker takes new tasks, 0 if it drains or is broken.",
	    worker.state == WorkerState::ACTIVE ? 1 : 0);
	add("duckherder_worker_threads", "DuckDB threads of the worker.", worker.threads);
	add("duckherder_worker_running_tasks", "Tasks that run, by worker.", worker.running_tasks);
	add("duckherder_worker_kept_queries", "Queries whose outputs are kept, by worker.", worker.leased_queries);
	add("duckherder_worker_kept_bytes", "Outputs of tasks that are kept, uncompressed, by worker.", worker.kept_bytes);
	add("duckherder_worker_temporary_bytes", "Spilled data in temporary files, by worker.", worker.temporary_bytes);
	add("duckherder_worker_memory_used_bytes", "Memory in use, by worker.", worker.memory_used_bytes);
	add("duckherder_worker_memory_limit_bytes", "Memory that may be used, by worker.", worker.memory_limit_bytes);
	metrics.Process();
	return metrics.Text();
}

std::string DriverMetrics(DatabaseState &state, const NodeFacts &node) {
	MetricsText metrics;
	AddBuild(metrics, node);
	auto totals = state.services.recorder->Totals();
	AddQueries(metrics, state, totals);
	AddReasons(metrics, totals);
	AddTasks(metrics, totals);
	AddWorkers(metrics, state.ListWorkers());
	metrics.Family("duckherder_sessions", "gauge", "Sessions that clients have open at this node.");
	metrics.Sample(static_cast<uint64_t>(state.ListSessions().size()));
	metrics.Process();
	return metrics.Text();
}

} // namespace duckherder
