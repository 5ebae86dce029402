#include "web/cluster_json.hpp"

#include "duckdb/common/types/timestamp.hpp"

namespace duckherder {

int64_t NowUs() {
	return duckdb::Timestamp::GetCurrentTimestamp().value;
}

WorkerTotals::WorkerTotals(const std::vector<WorkerInfo> &workers) {
	for (auto &worker : workers) {
		switch (worker.state) {
		case WorkerState::ACTIVE:
			active++;
			break;
		case WorkerState::DRAINING:
			draining++;
			break;
		case WorkerState::LOST:
		case WorkerState::BROKEN:
			lost++;
			continue;
		}
		threads += worker.threads;
		memory_used_bytes += worker.memory_used_bytes;
		memory_limit_bytes += worker.memory_limit_bytes;
		running_tasks += worker.running_tasks;
	}
}

std::string ClusterJson(DatabaseState &state, const NodeFacts &node, Role role) {
	JsonDocument document;
	auto root = document.Root();
	root.Set("node", node.kind);
	root.Set("version", DUCKHERDER_VERSION);
	root.Set("duckdb_version", duckdb::DuckDB::LibraryVersion());
	root.Set("protocol_version", PROTOCOL_VERSION);
	root.Set("started_us", node.started_us);
	root.Set("now_us", NowUs());
	root.Set("role", RoleName(role));
	WorkerTotals totals(state.ListWorkers());
	auto workers = root.Object("workers");
	workers.Set("active", totals.active);
	workers.Set("draining", totals.draining);
	workers.Set("lost", totals.lost);
	root.Set("threads", totals.threads);
	root.Set("memory_used_bytes", totals.memory_used_bytes);
	root.Set("memory_limit_bytes", totals.memory_limit_bytes);
	root.Set("running_tasks", totals.running_tasks);
	uint64_t running = 0;
	uint64_t queued = 0;
	auto now_us = NowUs();
	state.services.recorder->ForEach([&](const QueryRecord &query) {
		auto state_now = query.StateAt(now_us);
		running += state_now == "RUNNING" ? 1 : 0;
		queued += state_now == "QUEUED" ? 1 : 0;
	});
	auto ended = state.services.recorder->Totals();
	std::map<std::string, uint64_t> modes;
	std::map<std::string, uint64_t> states;
	for (auto &entry : ended.queries) {
		modes[ExecutionModeName(entry.first.first)] += entry.second;
		states[entry.first.second] += entry.second;
	}
	auto queries = root.Object("queries");
	queries.Set("running", running);
	queries.Set("queued", queued);
	auto by_mode = queries.Object("by_mode");
	for (auto &entry : modes) {
		by_mode.SetCopied(entry.first, entry.second);
	}
	auto by_state = queries.Object("by_state");
	for (auto &entry : states) {
		by_state.SetCopied(entry.first, entry.second);
	}
	auto admitted = root.Object("admitted");
	admitted.Set("running", state.services.cluster->RunningQueries());
	admitted.Set("queued", state.services.cluster->QueuedQueries());
	root.Set("bytes_exchanged", ended.bytes_exchanged);
	root.Set("sessions", static_cast<uint64_t>(state.ListSessions().size()));
	root.Set("changes", state.services.recorder->Changes());
	return document.Text();
}

std::string WorkersJson(DatabaseState &state) {
	return WorkerListJson(state.AskWorkers());
}

std::string WorkerListJson(const std::vector<WorkerInfo> &workers) {
	JsonDocument document;
	auto list = document.Root().Array("workers");
	for (auto &worker : workers) {
		auto item = list.AddObject();
		item.Set("id", worker.address.id);
		item.Set("location", worker.address.location);
		item.Set("state", WorkerStateName(worker.state));
		item.Set("threads", worker.threads);
		item.Set("memory_used_bytes", worker.memory_used_bytes);
		item.Set("memory_limit_bytes", worker.memory_limit_bytes);
		item.Set("running_tasks", worker.running_tasks);
		item.Set("kept_queries", worker.leased_queries);
		item.Set("kept_bytes", worker.kept_bytes);
		item.Set("temporary_bytes", worker.temporary_bytes);
		item.Set("heartbeat_age_ms", worker.heartbeat_age_ms);
		item.Set("sends_heartbeats", worker.sends_heartbeats);
		item.Set("duckdb_version", worker.duckdb_version);
		item.Set("protocol_version", worker.protocol_version);
		auto extensions = item.Array("extensions");
		for (auto &extension : worker.extensions) {
			auto entry = extensions.AddObject();
			entry.Set("name", extension.name);
			entry.Set("version", extension.version);
		}
	}
	return document.Text();
}

std::string SessionsJson(DatabaseState &state) {
	JsonDocument document;
	auto list = document.Root().Array("sessions");
	for (auto &session : state.ListSessions()) {
		auto item = list.AddObject();
		item.Set("session_id", session.number);
		item.Set("client", session.client);
		item.Set("protocol", session.protocol);
		item.Set("read_only", session.read_only);
		item.Set("state", session.State());
		item.Set("opened_us", session.opened_us);
		item.Set("transaction_us", session.transaction_us);
		item.Set("statement", session.statement);
	}
	return document.Text();
}

} // namespace duckherder
