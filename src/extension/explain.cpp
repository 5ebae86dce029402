#include "extension/explain.hpp"

#include "planner/split_scans.hpp"

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
}

string DescribeOutput(const StagePlan &stage) {
	string text = StringUtil::Lower(ExchangeKindName(stage.output.kind));
	if (stage.output.kind == ExchangeKind::HASH) {
		string keys;
		for (auto column : stage.output.key_columns) {
			keys += (keys.empty() ? "#" : ", #") + to_string(column);
		}
		text += " by (" + keys + "), " + to_string(stage.output.partition_count) + " partitions";
	}
	return text;
}

string DescribeTasks(const PipelineTasks &split) {
	auto text = to_string(split.tasks.size()) + (split.tasks.size() == 1 ? " task" : " tasks");
	if (split.kind != SplitKind::NONE) {
		text += string(", ") + SplitKindName(split.kind) + " split";
	}
	if (split.total_rows > 0) {
		text += ", " + to_string(split.total_rows) + " rows";
	}
	return text;
}

string DescribeResult(const TaskRecord &task) {
	return task.worker_id + ": " + to_string(task.rows) + " rows, " +
	       StringUtil::BytesToHumanReadableString(task.bytes) + ", " +
	       StringUtil::Format("%.1f ms", double(task.duration_us) / 1000);
}

} // namespace

InsertionOrderPreservingMap<string> ExplainStages(ClientContext &context, const DistributedPlan &plan, StageId root) {
	std::set<StageId> stages;
	CollectStages(plan, root, stages);
	InsertionOrderPreservingMap<string> result;
	for (auto id : stages) {
		auto &stage = plan.stages[id];
		auto split = ExtractPipelineTasks(context, stage, string(), plan.options);
		auto text = DescribeTasks(split) + "\n" + StringUtil::Replace(stage.description, " <- ", "\n") + "\nto " +
		            DescribeOutput(stage);
		result["Stage " + to_string(id)] = text;
	}
	if (!plan.fully_distributed) {
		result["Partial"] = plan.reason;
	}
	return result;
}

InsertionOrderPreservingMap<string> ExplainTasks(const DistributedPlan &plan, StageId root,
                                                 const std::vector<TaskRecord> &tasks) {
	std::set<StageId> stages;
	CollectStages(plan, root, stages);
	InsertionOrderPreservingMap<string> result;
	for (auto &task : tasks) {
		if (stages.count(task.stage_id) > 0 && task.state == "DONE") {
			result["Stage " + to_string(task.stage_id) + " task " + to_string(task.task.task_id)] =
			    DescribeResult(task);
		}
	}
	return result;
}

} // namespace duckherder
