#include "coordinator/query_journal.hpp"

#include <algorithm>
#include <set>

namespace duckherder {

namespace {

StageHistory HistoryOf(const StagePlan &plan) {
	StageHistory stage;
	stage.stage_id = plan.id;
	stage.description = plan.description;
	stage.exchange = ExchangeKindName(plan.output.kind);
	stage.keys = KeyNames(plan.output);
	stage.inputs = plan.inputs;
	for (auto &filter : plan.scan_filters) {
		stage.filters_from.push_back(filter.source);
	}
	stage.estimated_rows = plan.estimated_rows;
	return stage;
}

} // namespace

QueryJournal::QueryJournal(std::shared_ptr<QueryRecorder> recorder_p, QueryRecorder::Entry record_p)
    : recorder(std::move(recorder_p)), record(std::move(record_p)) {
}

void QueryJournal::SetQueued(bool queued, uint64_t waited_us) {
	recorder->Update(record, [&](QueryRecord &query) {
		query.state = queued ? "QUEUED" : "RUNNING";
		query.trace.queued_us = waited_us;
	});
}

void QueryJournal::Begin(const DistributedPlan &plan, const StageExecutions &stages) {
	std::string strategy;
	duckdb::idx_t largest = 0;
	first_tasks.resize(stages.Count());
	started_tasks.resize(stages.Count());
	for (StageId stage = 0; stage < stages.Count(); stage++) {
		AddTasks(stage, stages.Get(stage).tasks);
		if (plan.stages[stage].scan) {
			auto &split = stages.Split(stage);
			auto rows = std::max(split.total_rows, plan.stages[stage].scan->Get().estimated_cardinality);
			if (strategy.empty() || rows > largest) {
				largest = rows;
				strategy = SplitKindName(split.kind);
			}
		}
	}
	recorder->Update(record, [&](QueryRecord &query) {
		for (auto &stage : plan.stages) {
			query.stages.push_back(HistoryOf(stage));
		}
		query.partition_strategy = strategy;
		query.num_stages = static_cast<uint32_t>(stages.Count());
	});
}

void QueryJournal::AddTasks(StageId stage, const std::vector<DistributedPipelineTask> &tasks) {
	recorder->Update(record, [&](QueryRecord &query) {
		first_tasks[stage] = query.tasks.size();
		for (auto &task : tasks) {
			TaskHistory history;
			history.stage_id = stage;
			history.task = task;
			query.tasks.push_back(std::move(history));
		}
	});
}

TaskHistory &QueryJournal::Find(QueryRecord &query, TaskKey task) const {
	return query.tasks[first_tasks[task.stage] + task.task];
}

void QueryJournal::NoteRetry(QueryRecord &query, const TaskHistory &task) {
	query.retries++;
	auto reason = task.failure.empty() ? "worker_lost" : task.failure;
	query.trace.retries_by_reason[task.state == "DONE" ? "output_lost" : reason]++;
}

size_t QueryJournal::NoteStart(const TaskRequest &request, bool speculative) {
	size_t started = 0;
	recorder->Update(record, [&](QueryRecord &query) {
		auto &task = Find(query, {request.stage_id, request.task_id});
		if (request.attempt > 0 && !speculative) {
			NoteRetry(query, task);
		}
		task.state = "RUNNING";
		task.worker_id = request.worker_id;
		task.attempt = request.attempt;
		task.speculative = task.speculative || speculative;
		started_tasks[request.stage_id] += request.attempt == 0 ? 1 : 0;
		started = started_tasks[request.stage_id];
	});
	return started;
}

void QueryJournal::NoteResult(const TaskRequest &request, const TaskResult &result, uint64_t since_start_us) {
	if (!result.failed) {
		last_result_us = since_start_us;
	}
	recorder->Update(record, [&](QueryRecord &query) {
		auto &task = Find(query, {request.stage_id, request.task_id});
		task.worker_id = request.worker_id;
		task.attempt = request.attempt;
		if (result.failed) {
			task.state = result.error.kind == ErrorKind::CANCELLED ? "CANCELLED" : "FAILED";
			task.failure = ErrorKindName(result.error.kind);
			return;
		}
		task.state = "DONE";
		task.rows = request.split.fed || request.split.Kind() != SplitKind::NONE ? result.input_rows : result.Rows();
		task.input_rows = result.input_rows;
		task.output_rows = result.Rows();
		task.bytes = result.Bytes();
		task.pruned_rows = result.pruned_rows;
		task.spilled_bytes = result.spilled_bytes;
		task.duration_us = result.duration_us;
		task.start_us = since_start_us - std::min(since_start_us, result.duration_us);
		task.prepared_us = result.prepared_us;
		task.reads = result.reads;
		query.bytes_exchanged += result.Bytes();
	});
}

void QueryJournal::NoteRemaining(const TaskInfo &remaining) {
	recorder->Update(record, [&](QueryRecord &query) {
		auto &task = Find(query, remaining.task);
		task.state = "RUNNING";
		task.worker_id = remaining.worker;
		task.attempt = remaining.attempt;
	});
}

std::vector<WorkerId> QueryJournal::Assigned(StageId stage, size_t count) const {
	std::vector<WorkerId> result;
	recorder->Update(record, [&](QueryRecord &query) {
		for (TaskId task = 0; task < count; task++) {
			result.push_back(Find(query, {stage, task}).worker_id);
		}
	});
	return result;
}

std::vector<TaskHistory> QueryJournal::Tasks() const {
	std::vector<TaskHistory> result;
	recorder->Update(record, [&](QueryRecord &query) { result = query.tasks; });
	return result;
}

void QueryJournal::NoteCosts(MeasuredCosts &costs, size_t stages) const {
	recorder->Update(record, [&](QueryRecord &query) { costs.NoteStages(query.tasks, stages, last_result_us); });
}

void QueryJournal::NoteDecisions(const std::vector<StageOutcome> &outcomes) {
	recorder->Update(record, [&](QueryRecord &query) {
		for (size_t stage = 0; stage < query.stages.size(); stage++) {
			query.stages[stage].decision = outcomes[stage].decision;
		}
	});
}

void QueryJournal::Finish(const std::string &state, const std::string &error, uint64_t duration_us) {
	if (finished.exchange(true)) {
		return;
	}
	recorder->Update(record, [&](QueryRecord &query) {
		std::set<WorkerId> used;
		for (auto &task : query.tasks) {
			if (!task.worker_id.empty()) {
				used.insert(task.worker_id);
			}
			if (task.state == "RUNNING" || task.state == "QUEUED") {
				task.state = "CANCELLED";
			}
		}
		query.num_workers_used = static_cast<uint32_t>(used.size());
		query.duration_us = duration_us;
		query.state = state;
		query.error = error;
	});
}

} // namespace duckherder
