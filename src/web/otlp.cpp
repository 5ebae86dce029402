#include "web/otlp.hpp"

#include "history/stage_totals.hpp"
#include "protocol/trace_context.hpp"
#include "wire/json.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>
#include <utility>

namespace duckherder {

namespace {

//! A trace with more spans than this helps nobody
constexpr size_t OTLP_TASKS_MAX = 1000;
constexpr uint64_t KIND_INTERNAL = 1;
constexpr uint64_t KIND_SERVER = 2;
constexpr uint64_t STATUS_OK = 1;
constexpr uint64_t STATUS_ERROR = 2;

//! A name's hash as hexadecimal digits, never only zeros, which mean nothing in a trace
std::string IdOf(const std::string &name) {
	char digits[17];
	snprintf(digits, sizeof(digits), "%016llx", static_cast<unsigned long long>(std::hash<std::string>()(name)) | 1ULL);
	return digits;
}

void AddAttribute(JsonNode attributes, const char *key, const std::string &value) {
	auto attribute = attributes.AddObject();
	attribute.Set("key", key);
	attribute.Object("value").Set("stringValue", value);
}

//! 64-bit numbers are texts in the JSON form of protobuf
void AddAttribute(JsonNode attributes, const char *key, uint64_t value) {
	auto attribute = attributes.AddObject();
	attribute.Set("key", key);
	attribute.Object("value").Set("intValue", std::to_string(value));
}

//! Spans by the node that they belong to
class Resources {
public:
	explicit Resources(JsonNode list_p) : list(list_p) {
	}

	JsonNode SpansOf(const std::string &service, const std::string &instance) {
		auto known = spans.find({service, instance});
		if (known != spans.end()) {
			return known->second;
		}
		auto resource_spans = list.AddObject();
		auto attributes = resource_spans.Object("resource").Array("attributes");
		AddAttribute(attributes, "service.name", service);
		AddAttribute(attributes, "service.instance.id", instance);
		AddAttribute(attributes, "service.version", std::string(DUCKHERDER_VERSION));
		auto scope_spans = resource_spans.Array("scopeSpans").AddObject();
		scope_spans.Object("scope").Set("name", "duckherder");
		return spans.emplace(std::pair(service, instance), scope_spans.Array("spans")).first->second;
	}

private:
	JsonNode list;
	std::map<std::pair<std::string, std::string>, JsonNode> spans;
};

//! The spans of one query
class Trace {
public:
	Trace(const QueryRecord &query_p, Resources &resources_p, JsonNode own)
	    : query(query_p), resources(resources_p), spans(own), context(TraceContext::Parse(query_p.trace.traceparent)) {
		auto name = query.query_id + " " + std::to_string(query.start_time_us);
		trace_id = context.trace_id.empty() ? IdOf(name) + IdOf("trace " + name) : context.trace_id;
	}

	void Add() {
		AddQuery();
		AddPreparations();
		auto totals = AddUpStages(query.tasks);
		for (auto &stage : query.stages) {
			auto &total = totals[stage.stage_id];
			if (total.start_us) {
				AddStage(stage, total);
			}
		}
		AddTasks();
	}

private:
	std::string SpanId(const std::string &part) const {
		return IdOf(trace_id + query.query_id + part);
	}
	std::string StageSpan(StageId stage) const {
		return SpanId("stage " + std::to_string(stage));
	}

	//! Its times count from the beginning of the planning.
	JsonNode Span(JsonNode list, const std::string &id, const std::string &parent, const std::string &name,
	              uint64_t start_us, uint64_t end_us) {
		auto span = list.AddObject();
		span.Set("traceId", trace_id);
		span.Set("spanId", id);
		if (!parent.empty()) {
			span.Set("parentSpanId", parent);
		}
		span.Set("name", name);
		auto start_time_us = static_cast<uint64_t>(std::max<int64_t>(query.start_time_us, 0));
		auto begin_us = start_time_us - std::min(start_time_us, query.trace.planning_us);
		span.Set("startTimeUnixNano", std::to_string((begin_us + start_us) * 1000));
		span.Set("endTimeUnixNano", std::to_string((begin_us + end_us) * 1000));
		return span;
	}

	void AddQuery() {
		auto end_us = query.trace.planning_us + query.duration_us;
		auto span = Span(spans, SpanId(""), context.parent_span_id, "query", 0, end_us);
		span.Set("kind", KIND_SERVER);
		auto attributes = span.Array("attributes");
		AddAttribute(attributes, "db.system", std::string("duckdb"));
		AddAttribute(attributes, "duckherder.query_id", query.query_id);
		AddAttribute(attributes, "duckherder.mode", std::string(ExecutionModeName(query.mode)));
		AddAttribute(attributes, "duckherder.state", query.state);
		AddAttribute(attributes, "duckherder.stages", query.num_stages);
		AddAttribute(attributes, "duckherder.tasks", query.report ? query.report->tasks : query.tasks.size());
		AddAttribute(attributes, "duckherder.workers", query.num_workers_used);
		AddAttribute(attributes, "duckherder.retries", query.retries);
		AddAttribute(attributes, "duckherder.bytes_exchanged", query.bytes_exchanged);
		if (query.report) {
			AddAttribute(attributes, "duckherder.session", query.report->session);
		}
		span.Object("status").Set("code", query.state == "SUCCEEDED" ? STATUS_OK : STATUS_ERROR);
	}

	//! What went before the stages
	void AddPreparations() {
		if (query.trace.planning_us > 0) {
			AddPart("plan", 0, query.trace.planning_us);
		}
		// a place that was free at once was not waited for
		constexpr uint64_t WAITED_MIN_US = 1000;
		if (query.trace.queued_us >= WAITED_MIN_US) {
			AddPart("wait for a place", query.trace.planning_us, query.trace.planning_us + query.trace.queued_us);
		}
	}

	void AddPart(const std::string &name, uint64_t start_us, uint64_t end_us) {
		auto span = Span(spans, SpanId(name), SpanId(""), name, start_us, end_us);
		span.Set("kind", KIND_INTERNAL);
		span.Array("attributes");
	}

	void AddStage(const StageHistory &stage, const StageTotals &total) {
		auto span = Span(spans, StageSpan(stage.stage_id), SpanId(""), "stage " + std::to_string(stage.stage_id),
		                 query.trace.planning_us + *total.start_us, query.trace.planning_us + *total.end_us);
		span.Set("kind", KIND_INTERNAL);
		auto attributes = span.Array("attributes");
		AddAttribute(attributes, "duckherder.operators", stage.description);
		AddAttribute(attributes, "duckherder.exchange", stage.exchange);
		AddAttribute(attributes, "duckherder.tasks", total.done_tasks);
		AddAttribute(attributes, "duckherder.rows_in", total.input_rows);
		AddAttribute(attributes, "duckherder.rows_out", total.output_rows);
		AddAttribute(attributes, "duckherder.bytes", total.bytes);
		AddAttribute(attributes, "duckherder.spilled_bytes", total.spilled_bytes);
		// what it has read had to be complete before
		auto links = span.Array("links");
		for (auto input : stage.inputs) {
			auto link = links.AddObject();
			link.Set("traceId", trace_id);
			link.Set("spanId", StageSpan(input));
		}
	}

	void AddTasks() {
		std::vector<const TaskHistory *> tasks;
		for (auto &task : query.tasks) {
			if (task.start_us) {
				tasks.push_back(&task);
			}
		}
		auto count = std::min(tasks.size(), OTLP_TASKS_MAX);
		std::partial_sort(tasks.begin(), tasks.begin() + static_cast<std::ptrdiff_t>(count), tasks.end(),
		                  [](auto *left, auto *right) { return left->duration_us > right->duration_us; });
		tasks.resize(count);
		for (auto *task : tasks) {
			AddTask(*task);
		}
	}

	void AddTask(const TaskHistory &task) {
		auto list = resources.SpansOf("duckherder-worker", task.worker_id);
		auto name = "task " + std::to_string(task.stage_id) + "." + std::to_string(task.task.task_id);
		auto start_us = query.trace.planning_us + *task.start_us;
		auto span = Span(list, SpanId(name), StageSpan(task.stage_id), name, start_us, start_us + task.duration_us);
		span.Set("kind", KIND_SERVER);
		auto attributes = span.Array("attributes");
		AddAttribute(attributes, "duckherder.worker", task.worker_id);
		AddAttribute(attributes, "duckherder.attempt", static_cast<uint64_t>(task.attempt));
		AddAttribute(attributes, "duckherder.rows_in", task.input_rows);
		AddAttribute(attributes, "duckherder.rows_out", task.output_rows);
		AddAttribute(attributes, "duckherder.bytes", task.bytes);
		auto prepared = Span(list, SpanId(name + " prepare"), SpanId(name), "prepare", start_us,
		                     start_us + std::min(task.prepared_us, task.duration_us));
		prepared.Set("kind", KIND_INTERNAL);
		prepared.Array("attributes");
		for (auto &read : task.reads) {
			AddRead(list, task, name, read);
		}
	}

	void AddRead(JsonNode list, const TaskHistory &task, const std::string &task_name, const InputRead &read) {
		auto name = "read stage " + std::to_string(read.stage);
		auto start_us = query.trace.planning_us + *task.start_us;
		auto first_us = std::min(read.first_us, task.duration_us);
		auto last_us = std::clamp(read.last_us, first_us, std::max(first_us, task.duration_us));
		auto span =
		    Span(list, SpanId(task_name + name), SpanId(task_name), name, start_us + first_us, start_us + last_us);
		span.Set("kind", KIND_INTERNAL);
		auto attributes = span.Array("attributes");
		AddAttribute(attributes, "duckherder.inline_bytes", read.inline_bytes);
		AddAttribute(attributes, "duckherder.local_bytes", read.local_bytes);
		AddAttribute(attributes, "duckherder.network_bytes", read.network_bytes);
		AddAttribute(attributes, "duckherder.wait_us", read.wait_us);
	}

	const QueryRecord &query;
	Resources &resources;
	JsonNode spans;
	const TraceContext context;
	std::string trace_id;
};

} // namespace

std::string OtlpJson(const std::vector<QueryRecord> &queries, const std::string &node) {
	JsonDocument document;
	Resources resources(document.Root().Array("resourceSpans"));
	for (auto &query : queries) {
		Trace(query, resources, resources.SpansOf("duckherder", node)).Add();
	}
	return document.Text();
}

} // namespace duckherder
