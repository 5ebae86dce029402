#include "extension/explain_json.hpp"

#include "extension/explain_verdict.hpp"
#include "wire/json.hpp"

namespace duckherder {

namespace {

void AddTexts(JsonNode array, const std::vector<std::string> &texts) {
	for (auto &text : texts) {
		array.Add(text);
	}
}

void AddStageIds(JsonNode array, const std::vector<StageId> &stages) {
	for (auto stage : stages) {
		array.Add(static_cast<uint64_t>(stage));
	}
}

void SetNumber(JsonNode &node, const char *name, const std::optional<uint64_t> &number) {
	if (number) {
		node.Set(name, *number);
	} else {
		node.SetNull(name);
	}
}

void AddOperators(JsonNode array, const std::vector<OperatorFacts> &operators) {
	for (auto &op : operators) {
		auto node = array.AddObject();
		node.Set("depth", op.depth);
		node.Set("name", op.name);
		node.Set("details", op.details);
		SetNumber(node, "estimated_rows", op.estimated_rows);
		if (!op.in_place_by.empty()) {
			AddTexts(node.Array("in_place_by"), op.in_place_by);
		}
		if (op.reads) {
			node.Set("reads_stage", static_cast<uint64_t>(*op.reads));
		}
	}
}

void SetOutput(JsonNode node, const ExchangeFacts &output) {
	node.Set("kind", output.kind);
	AddTexts(node.Array("keys"), output.keys);
	node.Set("key_columns", output.key_columns);
	node.Set("partitions", output.partitions);
	if (output.adaptive_reader) {
		auto adaptive = node.Object("or_part_of");
		adaptive.Set("stage", static_cast<uint64_t>(*output.adaptive_reader));
		adaptive.Set("if_small", static_cast<uint64_t>(*output.adaptive_build));
	}
}

void SetTasks(JsonNode node, const TaskFacts &tasks) {
	SetNumber(node, "planned", tasks.planned);
	node.Set("partitions", tasks.partitions);
	node.Set("split", tasks.split);
	node.Set("table_rows", tasks.table_rows);
	if (tasks.has_scan) {
		node.Set("rows_are_read_by", tasks.fed ? "session" : "workers");
	}
}

void SetRun(JsonNode node, const StageRunFacts &run) {
	node.Set("tasks", run.tasks);
	AddTexts(node.Array("workers"), run.workers);
	node.Set("retries", run.retries);
	SetNumber(node, "read_rows", run.read_rows);
	node.Set("table_rows", run.table_rows);
	node.Set("dynamic_filters", run.dynamic_filters);
	node.Set("pruned_rows", run.pruned_rows);
	node.Set("output_rows", run.output_rows);
	node.Set("bytes", run.bytes);
	node.Set("spilled_bytes", run.spilled_bytes);
	node.Set("busy_us", run.busy_us);
	node.Set("wall_us", run.wall_us);
	node.Set("median_us", run.median_us);
	auto slowest = node.Object("slowest");
	slowest.Set("task", run.slowest_task);
	slowest.Set("worker", run.slowest_worker);
	slowest.Set("duration_us", run.slowest_us);
}

void AddStage(JsonNode node, const StageFacts &stage) {
	node.Set("stage", static_cast<uint64_t>(stage.id));
	node.Set("description", stage.description);
	AddOperators(node.Array("operators"), stage.operators);
	SetOutput(node.Object("output"), stage.output);
	SetTasks(node.Object("tasks"), stage.tasks);
	SetNumber(node, "estimated_rows", stage.estimated_rows);
	AddStageIds(node.Array("inputs"), stage.inputs);
	AddStageIds(node.Array("filtered_by_keys_of"), stage.filters_from);
	AddStageIds(node.Array("waits_for"), stage.after);
	if (stage.skipped_without) {
		node.Set("skipped_without_rows_of", static_cast<uint64_t>(*stage.skipped_without));
	}
	if (!stage.decision.empty()) {
		node.Set("decision", stage.decision);
	}
	if (stage.run) {
		SetRun(node.Object("run"), *stage.run);
	}
}

} // namespace

std::string JsonOf(const QueryFacts &facts) {
	JsonDocument document;
	auto root = document.Root();
	root.Set("mode", facts.mode);
	root.Set("reason", facts.reason);
	AddTexts(root.Array("verdict"), VerdictOf(facts));
	root.Set("estimate", facts.estimate);
	root.Set("workers", facts.workers);
	if (facts.run) {
		auto run = root.Object("run");
		run.Set("wall_us", facts.run->wall_us);
		run.Set("busy_us", facts.run->busy_us);
		run.Set("without_tasks_us", facts.run->session_us);
	}
	AddOperators(root.Array("session"), facts.session);
	auto stages = root.Array("stages");
	for (auto &stage : facts.stages) {
		AddStage(stages.AddObject(), stage);
	}
	auto passes = root.Array("passes");
	for (auto &pass : facts.passes) {
		auto node = passes.AddObject();
		node.Set("name", pass.name);
		node.Set("duration_us", pass.duration_us);
	}
	return document.Text();
}

} // namespace duckherder
