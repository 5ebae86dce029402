#include "web/query_json.hpp"

#include "history/query_summary.hpp"
#include "history/stage_totals.hpp"
#include "web/cluster_json.hpp"
#include "wire/json.hpp"

#include "duckdb/common/exception.hpp"
#include "duckdb/common/string_util.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <vector>

namespace duckherder {

namespace {

double Milliseconds(uint64_t us) {
	return static_cast<double>(us) / 1000;
}

//! What quotes statements is for those who may see everybody's
std::optional<std::string> Text(const std::string &text, Role role) {
	return role >= Role::ADMIN && !text.empty() ? std::make_optional(text) : std::nullopt;
}

void SetLine(JsonNode item, const QuerySummary &line, Role role) {
	auto &query = line.query;
	item.Set("number", query.number);
	item.Set("query_id", query.query_id);
	item.Set("session", line.session.empty() ? std::nullopt : std::make_optional(line.session));
	item.Set("sql", Text(query.sql, role));
	item.Set("state", query.state);
	item.Set("mode", ExecutionModeName(query.mode));
	item.Set("local_reason", Text(query.local_reason, role));
	item.Set("start_us", query.start_time_us);
	item.Set("duration_ms", Milliseconds(query.duration_us));
	item.Set("stages", query.num_stages);
	item.Set("tasks", line.sums.tasks);
	item.Set("tasks_done", line.sums.done);
	item.Set("tasks_running", line.sums.running);
	item.Set("workers", query.num_workers_used);
	item.Set("retries", query.retries);
	item.Set("bytes_exchanged", query.bytes_exchanged);
	item.Set("spilled_bytes", line.sums.spilled_bytes);
	item.Set("rows_scanned", line.sums.scanned_rows);
	item.Set("error", Text(query.error, role));
}

bool Contains(const std::string &text, const std::string &lower) {
	return duckdb::StringUtil::Contains(duckdb::StringUtil::Lower(text), lower);
}

bool HasStateAndMode(const QueryRecord &query, const QueryFilter &filter, int64_t now_us) {
	return (filter.state.empty() || query.StateAt(now_us) == filter.state) &&
	       (filter.mode.empty() || ExecutionModeName(query.mode) == filter.mode);
}

bool IsFound(const QueryRecord &query, const std::string &search, Role role) {
	auto found = search.empty() || Contains(query.query_id, search);
	return found || (role >= Role::ADMIN && (Contains(query.sql, search) || Contains(query.error, search)));
}

using SortKey = std::function<uint64_t(const QuerySummary &)>;

SortKey SortKeyOf(const std::string &name) {
	const std::vector<std::pair<const char *, SortKey>> keys = {
	    {"start", [](const QuerySummary &line) { return line.query.number; }},
	    {"duration", [](const QuerySummary &line) { return line.query.duration_us; }},
	    {"bytes", [](const QuerySummary &line) { return line.query.bytes_exchanged; }},
	    {"tasks", [](const QuerySummary &line) { return line.sums.tasks; }},
	    {"retries", [](const QuerySummary &line) { return line.query.retries; }},
	    {"rows", [](const QuerySummary &line) { return line.sums.scanned_rows; }}};
	std::string known;
	for (auto &key : keys) {
		if (name == key.first) {
			return key.second;
		}
		known += (known.empty() ? "" : ", ") + std::string(key.first);
	}
	throw duckdb::InvalidInputException("Queries cannot be sorted by '%s', but by %s", name, known);
}

void SetNumberOrNull(JsonNode item, const char *name, const std::optional<uint64_t> &us) {
	if (us) {
		item.Set(name, Milliseconds(*us));
	} else {
		item.SetNull(name);
	}
}

void SetStage(JsonNode item, const StageHistory &stage, const StageTotals &totals, Role role) {
	item.Set("stage_id", stage.stage_id);
	item.Set("description", stage.description);
	item.Set("exchange", stage.exchange);
	item.Set("keys", stage.keys);
	auto inputs = item.Array("inputs");
	for (auto input : stage.inputs) {
		inputs.Add(static_cast<uint64_t>(input));
	}
	auto filters = item.Array("filters_from");
	for (auto source : stage.filters_from) {
		filters.Add(static_cast<uint64_t>(source));
	}
	item.Set("decision", Text(stage.decision, role).value_or(""));
	item.Set("estimated_rows", stage.estimated_rows);
	item.Set("tasks", totals.tasks);
	item.Set("tasks_done", totals.done_tasks);
	item.Set("tasks_running", totals.running_tasks);
	item.Set("rows_in", totals.input_rows);
	item.Set("rows_out", totals.output_rows);
	item.Set("bytes", totals.bytes);
	item.Set("pruned_rows", totals.pruned_rows);
	item.Set("spilled_bytes", totals.spilled_bytes);
	item.Set("busy_ms", totals.DurationMs());
	SetNumberOrNull(item, "start_ms", totals.start_us);
	SetNumberOrNull(item, "end_ms", totals.end_us);
	item.Set("median_ms", Milliseconds(totals.median_us));
	if (totals.slowest) {
		auto slowest = item.Object("slowest");
		slowest.Set("task_id", totals.slowest->task.task_id);
		slowest.Set("worker_id", totals.slowest->worker_id);
		slowest.Set("duration_ms", Milliseconds(totals.slowest->duration_us));
	} else {
		item.SetNull("slowest");
	}
}

void SetTasks(JsonNode node, const std::vector<TaskHistory> &tasks) {
	auto columns = node.Array("columns");
	for (auto column : {"stage_id", "task_id", "worker_id", "attempt", "speculative", "state", "rows_in", "rows_out",
	                    "bytes", "pruned_rows", "spilled_bytes", "start_ms", "duration_ms"}) {
		columns.Add(std::string(column));
	}
	auto rows = node.Array("rows");
	for (auto &task : tasks) {
		auto row = rows.AddArray();
		row.Add(static_cast<uint64_t>(task.stage_id));
		row.Add(static_cast<uint64_t>(task.task.task_id));
		row.Add(task.worker_id);
		row.Add(static_cast<uint64_t>(task.attempt));
		row.Add(task.speculative);
		row.Add(task.state);
		row.Add(task.input_rows);
		row.Add(task.output_rows);
		row.Add(task.bytes);
		row.Add(task.pruned_rows);
		row.Add(task.spilled_bytes);
		if (task.start_us) {
			row.Add(Milliseconds(*task.start_us));
		} else {
			row.AddNull();
		}
		row.Add(Milliseconds(task.duration_us));
	}
}

//! What the tasks have read of exchanges, by how it came
void SetRead(JsonNode node, const std::vector<TaskHistory> &tasks) {
	auto sum = AddUpReads(tasks);
	node.Set("inline", sum.inline_bytes);
	node.Set("local", sum.local_bytes);
	node.Set("network", sum.network_bytes);
}

} // namespace

std::string QueriesJson(const QueryRecorder &recorder, const QueryFilter &filter, Role role) {
	auto key = SortKeyOf(filter.sort);
	auto search = duckdb::StringUtil::Lower(filter.search);
	auto now_us = NowUs();
	std::vector<QuerySummary> lines;
	recorder.ForEach([&](const QueryRecord &query) {
		if (HasStateAndMode(query, filter, now_us)) {
			lines.emplace_back(query, now_us);
		}
	});
	// texts can be long, and while they are searched no query should wait for the recorder
	std::erase_if(lines, [&](const QuerySummary &line) { return !IsFound(line.query, search, role); });
	std::stable_sort(lines.begin(), lines.end(), [&](const QuerySummary &left, const QuerySummary &right) {
		return filter.ascending ? key(left) < key(right) : key(left) > key(right);
	});
	JsonDocument document;
	auto root = document.Root();
	root.Set("total", static_cast<uint64_t>(lines.size()));
	root.Set("offset", filter.offset);
	auto list = root.Array("queries");
	for (auto i = filter.offset; i < lines.size() && i - filter.offset < filter.limit; i++) {
		SetLine(list.AddObject(), lines[i], role);
	}
	return document.Text();
}

std::string QueryJson(const QueryRecord &query, Role role) {
	JsonDocument document;
	auto root = document.Root();
	auto line = root.Object("query");
	SetLine(line, QuerySummary(query, NowUs()), role);
	line.Set("partition_strategy", query.partition_strategy);
	line.Set("merge_strategy", query.merge_strategy);
	line.Set("planning_ms", Milliseconds(query.trace.planning_us));
	line.Set("queued_ms", Milliseconds(query.trace.queued_us));
	SetRead(line.Object("read_bytes"), query.tasks);
	auto reasons = line.Object("retries_by_reason");
	for (auto &entry : query.trace.retries_by_reason) {
		reasons.SetCopied(entry.first, entry.second);
	}
	auto totals = AddUpStages(query.tasks);
	auto stages = root.Array("stages");
	for (auto &stage : query.stages) {
		SetStage(stages.AddObject(), stage, totals[stage.stage_id], role);
	}
	SetTasks(root.Object("tasks"), query.tasks);
	return document.Text();
}

} // namespace duckherder
