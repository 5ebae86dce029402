#include "extension/explain.hpp"

#include "common/text.hpp"
#include "extension/describe_operators.hpp"
#include "history/stage_totals.hpp"
#include "planner/split/split_scans.hpp"

#include <set>

namespace duckherder {

using namespace duckdb;

namespace {

ExchangeFacts OutputOf(const StagePlan &stage, const ColumnNames &names) {
	ExchangeFacts facts;
	auto &output = stage.output;
	facts.kind = ExchangeKindName(output.kind);
	facts.key_columns = KeyNames(output);
	for (size_t i = 0; i < output.key_columns.size(); i++) {
		auto descending = !output.key_orders.empty() && output.key_orders[i].descending;
		facts.keys.push_back(names.OfOutput(stage, output.key_columns[i]) + (descending ? " DESC" : ""));
	}
	facts.partitions = IsPartitioned(output.kind) ? output.partition_count : 0;
	if (stage.adaptive_join) {
		facts.adaptive_reader = stage.adaptive_join->reader;
		facts.adaptive_build = stage.adaptive_join->build;
	}
	return facts;
}

TaskFacts TasksOf(ClientContext &context, const StagePlan &stage, const PlannerOptions &options, bool count_tasks) {
	TaskFacts facts;
	facts.partitions = stage.partitions;
	if (stage.scan) {
		facts.has_scan = true;
		facts.fed = stage.scan->reader == StageScan::Reader::FEED;
	}
	if (!count_tasks || (!stage.scan && stage.partitions > 1)) {
		return facts;
	}
	auto split = ExtractPipelineTasks(context, stage, string(), options);
	facts.planned = split.tasks.size();
	facts.split = split.kind == SplitKind::NONE ? "" : SplitKindName(split.kind);
	facts.table_rows = split.total_rows;
	return facts;
}

StageFacts FactsOfStage(ClientContext &context, const DistributedPlan &plan, const StagePlan &stage,
                        const ColumnNames &names, bool count_tasks) {
	StageFacts facts;
	facts.id = stage.id;
	facts.description = stage.description;
	facts.operators = DescribeFragment(stage, names);
	facts.output = OutputOf(stage, names);
	facts.tasks = TasksOf(context, stage, plan.options, count_tasks);
	if (stage.fragment->has_estimated_cardinality || stage.estimated_rows > 1) {
		facts.estimated_rows = stage.estimated_rows;
	}
	facts.inputs = stage.inputs;
	facts.after = stage.after;
	for (auto &filter : stage.scan_filters) {
		facts.filters_from.push_back(filter.source);
	}
	if (stage.skip_if_empty) {
		facts.skipped_without = stage.skip_if_empty->without;
	}
	return facts;
}

StageRunFacts RunOf(const StageTotals &totals, const StageOutcome &outcome, bool has_scan) {
	StageRunFacts run;
	run.tasks = totals.done_tasks;
	run.workers.assign(totals.workers.begin(), totals.workers.end());
	run.retries = totals.retries;
	if (has_scan) {
		run.read_rows = totals.input_rows;
	}
	run.table_rows = totals.table_rows;
	run.dynamic_filters = outcome.scan_filters;
	run.pruned_rows = totals.pruned_rows;
	run.output_rows = totals.output_rows;
	run.bytes = totals.bytes;
	run.spilled_bytes = totals.spilled_bytes;
	run.busy_us = totals.duration_us;
	run.median_us = totals.median_us;
	run.slowest_us = totals.slowest->duration_us;
	run.slowest_task = totals.slowest->task.task_id;
	run.slowest_worker = totals.slowest->worker_id;
	run.wall_us = totals.start_us ? *totals.end_us - *totals.start_us : 0;
	return run;
}

//! In which at least one task ran
uint64_t TimeWithTasks(const std::vector<TaskHistory> &tasks) {
	std::vector<std::pair<uint64_t, uint64_t>> times;
	for (auto &task : tasks) {
		if (task.start_us) {
			times.emplace_back(*task.start_us, *task.start_us + task.duration_us);
		}
	}
	std::sort(times.begin(), times.end());
	uint64_t result = 0;
	uint64_t end = 0;
	for (auto &time : times) {
		result += time.second > end ? time.second - std::max(end, time.first) : 0;
		end = std::max(end, time.second);
	}
	return result;
}

} // namespace

QueryFacts FactsOf(ClientContext &context, const DistributedPlan &plan, LogicalOperator &session, bool count_tasks) {
	QueryFacts facts;
	facts.mode = ExecutionModeName(plan.fully_distributed ? ExecutionMode::DISTRIBUTED : ExecutionMode::PARTIAL);
	facts.reason = plan.reason;
	facts.estimate = plan.estimate;
	facts.workers = plan.options.workers;
	ColumnNames names;
	for (auto &stage : plan.stages) {
		names.Learn(plan, stage);
		facts.stages.push_back(FactsOfStage(context, plan, stage, names, count_tasks));
	}
	names.Learn(session, nullptr);
	facts.session = DescribeSession(session, names);
	for (auto &pass : plan.pass_times) {
		facts.passes.push_back({pass.name, pass.duration_us});
	}
	return facts;
}

QueryFacts LocalFacts(const string &reason) {
	QueryFacts facts;
	facts.mode = ExecutionModeName(ExecutionMode::LOCAL);
	facts.reason = reason;
	return facts;
}

void AddRun(QueryFacts &facts, const std::vector<TaskHistory> &tasks, const std::vector<StageOutcome> &outcomes,
            uint64_t wall_us) {
	QueryRunFacts query;
	auto totals = AddUpStages(tasks);
	for (auto &stage : facts.stages) {
		auto &outcome = outcomes[stage.id];
		stage.decision = outcome.decision;
		auto ran = totals.find(stage.id);
		if (ran != totals.end() && ran->second.done_tasks > 0) {
			auto &split = facts.stages[outcome.scan_from].tasks;
			stage.run = RunOf(ran->second, outcome, split.has_scan);
			query.busy_us += stage.run->busy_us;
		}
	}
	auto with_tasks = TimeWithTasks(tasks);
	query.wall_us = std::max(wall_us, with_tasks);
	query.session_us = query.wall_us - with_tasks;
	facts.run = query;
}

InsertionOrderPreservingMap<string> SummarizeStages(const DistributedPlan &plan, StageId root) {
	InsertionOrderPreservingMap<string> result;
	result["Stage"] = to_string(root) + ", see distributed_plan";
	if (!plan.fully_distributed) {
		result["Partial"] = plan.reason;
	}
	return result;
}

InsertionOrderPreservingMap<string> SummarizeTasks(const std::vector<TaskHistory> &tasks) {
	std::set<WorkerId> workers;
	uint64_t done = 0;
	for (auto &stage : AddUpStages(tasks)) {
		done += stage.second.done_tasks;
		workers.insert(stage.second.workers.begin(), stage.second.workers.end());
	}
	InsertionOrderPreservingMap<string> result;
	result["Ran"] = Counted(done, "task") + " on " + Counted(workers.size(), "worker");
	return result;
}

} // namespace duckherder
