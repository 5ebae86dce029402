#include "extension/explain.hpp"

#include "common/text.hpp"
#include "history/stage_totals.hpp"
#include "planner/split/split_scans.hpp"

#include <map>
#include <set>

namespace duckherder {

using namespace duckdb;

namespace {

void CollectStages(const DistributedPlan &plan, StageId stage, std::set<StageId> &result) {
	if (!result.insert(stage).second) {
		return;
	}
	for (auto input : plan.stages[stage].inputs) {
		CollectStages(plan, input, result);
	}
	if (plan.stages[stage].bounds_from) {
		CollectStages(plan, *plan.stages[stage].bounds_from, result);
	}
}

string DescribeOutput(const StagePlan &stage) {
	auto text = StringUtil::Replace(StringUtil::Lower(ExchangeKindName(stage.output.kind)), "_", " ");
	if (!stage.output.key_columns.empty()) {
		text += (stage.output.kind == ExchangeKind::ROUND_ROBIN ? ", sampled by (" : " by (") + KeyNames(stage.output) +
		        ")";
	}
	if (IsPartitioned(stage.output.kind)) {
		text += ", " + to_string(stage.output.partition_count) + " partitions";
	}
	if (stage.adaptive_join) {
		auto reader = "stage " + to_string(stage.adaptive_join->reader);
		text += "\nor part of " + reader + ",\nif stage " + to_string(stage.adaptive_join->build) + " is small";
	}
	return text;
}

string DescribeFilters(const StagePlan &stage) {
	string text;
	for (auto &filter : stage.scan_filters) {
		text += "\nfiltered by keys of stage " + to_string(filter.source);
	}
	return text;
}

string DescribeTasks(ClientContext &context, const StagePlan &stage, const PlannerOptions &options) {
	if (!stage.scan && stage.partitions > 1) {
		return to_string(stage.partitions) + " partitions, tasks by their sizes";
	}
	auto split = ExtractPipelineTasks(context, stage, string(), options);
	auto text = to_string(split.tasks.size()) + (split.tasks.size() == 1 ? " task" : " tasks");
	if (split.kind != SplitKind::NONE) {
		text += string(", ") + SplitKindName(split.kind) + " split";
	}
	if (split.total_rows > 0) {
		text += ", " + to_string(split.total_rows) + " rows";
	}
	return text;
}

string InMilliseconds(uint64_t duration_us) {
	return StringUtil::Format("%.1f ms", double(duration_us) / 1000);
}

string DescribeTotals(const DistributedPlan &plan, const StageOutcome &outcome, const StageTotals &totals) {
	auto text = Counted(totals.done_tasks, "task") + " on " + Counted(totals.workers.size(), "worker");
	text += "\nretries: " + to_string(totals.retries);
	if (plan.stages[outcome.scan_from].scan) {
		text += "\nread: " + Counted(totals.input_rows, "row");
		text += totals.table_rows > 0 ? " of " + to_string(totals.table_rows) : "";
	}
	if (outcome.scan_filters > 0) {
		text += "\ndynamic filters: " + to_string(outcome.scan_filters);
		text += "\nlooked up and left out: " + Counted(totals.pruned_rows, "row");
	}
	text += "\nput out: " + Counted(totals.output_rows, "row") + ", " +
	        StringUtil::BytesToHumanReadableString(totals.bytes);
	text += "\nspilled: " + StringUtil::BytesToHumanReadableString(totals.spilled_bytes);
	text += "\ntime: " + InMilliseconds(totals.duration_us);
	text += "\nslowest: task " + to_string(totals.slowest->task.task_id) + " on " + totals.slowest->worker_id + ", " +
	        InMilliseconds(totals.slowest->duration_us);
	return text;
}

//! One of the gathers says how the plan was made
bool IsLastGather(const DistributedPlan &plan, StageId root) {
	return std::none_of(plan.stages.begin() + root + 1, plan.stages.end(),
	                    [](auto &stage) { return stage.output.kind == ExchangeKind::RESULT; });
}

string DescribePasses(const DistributedPlan &plan) {
	auto text = plan.estimate;
	for (auto &pass : plan.pass_times) {
		text += (text.empty() ? "" : "\n") + string(pass.name) + ": " + InMilliseconds(pass.duration_us);
	}
	return text;
}

} // namespace

InsertionOrderPreservingMap<string> ExplainStages(ClientContext &context, const DistributedPlan &plan, StageId root) {
	std::set<StageId> stages;
	CollectStages(plan, root, stages);
	InsertionOrderPreservingMap<string> result;
	for (auto id : stages) {
		auto &stage = plan.stages[id];
		auto text = DescribeTasks(context, stage, plan.options) + DescribeFilters(stage) + "\n" +
		            StringUtil::Replace(stage.description, " <- ", "\n") + "\nto " + DescribeOutput(stage);
		result["Stage " + to_string(id)] = text;
	}
	if (!plan.fully_distributed) {
		result["Partial"] = plan.reason;
	}
	return result;
}

InsertionOrderPreservingMap<string> ExplainTasks(const DistributedPlan &plan, StageId root,
                                                 const std::vector<TaskHistory> &tasks,
                                                 const std::vector<StageOutcome> &outcomes) {
	std::set<StageId> stages;
	CollectStages(plan, root, stages);
	auto totals = AddUpStages(tasks);
	InsertionOrderPreservingMap<string> result;
	for (auto id : stages) {
		auto ran = totals.find(id);
		auto &outcome = outcomes[id];
		auto text = outcome.decision;
		if (ran != totals.end() && ran->second.done_tasks > 0) {
			text += (text.empty() ? "" : "\n") + DescribeTotals(plan, outcome, ran->second);
		}
		if (!text.empty()) {
			result["Stage " + to_string(id) + " ran"] = text;
		}
	}
	if (IsLastGather(plan, root)) {
		result["Planner"] = DescribePasses(plan);
	}
	return result;
}

} // namespace duckherder
