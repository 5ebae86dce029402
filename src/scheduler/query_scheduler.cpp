#include "scheduler/query_scheduler.hpp"

#include <algorithm>
#include <stdexcept>

namespace duckherder {

QueryScheduler::QueryScheduler(std::vector<SchedulerStage> plans, SchedulerConfig config, AffinityMap &affinity)
    : config(config), affinity(affinity), random_state(config.random_seed) {
	stages.reserve(plans.size());
	for (auto &plan : plans) {
		AddStage(std::move(plan));
	}
	ConnectFollowers();
}

void QueryScheduler::AddStage(SchedulerStage plan) {
	if (plan.id != stages.size()) {
		throw std::invalid_argument("Stage " + std::to_string(plan.id) + " is at position " +
		                            std::to_string(stages.size()));
	}
	if (!plan.affinity_keys.empty() && plan.affinity_keys.size() != plan.task_count) {
		throw std::invalid_argument("Stage " + std::to_string(plan.id) + " needs one affinity key per task");
	}
	std::sort(plan.inputs.begin(), plan.inputs.end());
	plan.inputs.erase(std::unique(plan.inputs.begin(), plan.inputs.end()), plan.inputs.end());
	StageRecord stage;
	for (auto input : plan.inputs) {
		if (input >= plan.id) {
			throw std::invalid_argument("Stage " + std::to_string(plan.id) + " reads stage " + std::to_string(input));
		}
		stages[input].consumers.push_back(plan.id);
		stage.missing_inputs += stages[input].Complete() ? 0 : 1;
	}
	stats.total_tasks += plan.task_count;
	stage.sized = !plan.deferred_task_count;
	if (stage.sized) {
		stage.tasks.resize(plan.task_count);
		stage.open = plan.task_count;
		open_tasks += plan.task_count;
		unconsumed_outputs += plan.output_kind == ExchangeKind::RESULT ? plan.task_count : 0;
	} else {
		if (!plan.affinity_keys.empty()) {
			throw std::invalid_argument("Stage " + std::to_string(plan.id) + " has affinity keys, but no tasks yet");
		}
		unsized_stages++;
	}
	stage.plan = std::move(plan);
	stages.push_back(std::move(stage));
}

void QueryScheduler::ConnectFollowers() {
	// Stages in an order in which each can run: what cannot be put in one waits for itself
	std::vector<size_t> waits_for(stages.size());
	for (auto &stage : stages) {
		auto &after = stage.plan.after;
		std::sort(after.begin(), after.end());
		after.erase(std::unique(after.begin(), after.end()), after.end());
		for (auto before : after) {
			if (before >= stages.size()) {
				throw std::invalid_argument("Stage " + std::to_string(stage.plan.id) + " waits for stage " +
				                            std::to_string(before) + ", which does not exist");
			}
			stages[before].followers.push_back(stage.plan.id);
			stage.missing_before += stages[before].Complete() ? 0 : 1;
		}
		waits_for[stage.plan.id] = after.size() + stage.plan.inputs.size();
	}
	std::vector<StageId> order;
	for (StageId stage = 0; stage < stages.size(); stage++) {
		if (waits_for[stage] == 0) {
			order.push_back(stage);
		}
	}
	for (size_t i = 0; i < order.size(); i++) {
		for (auto *next : {&stages[order[i]].consumers, &stages[order[i]].followers}) {
			for (auto stage : *next) {
				if (--waits_for[stage] == 0) {
					order.push_back(stage);
				}
			}
		}
	}
	if (order.size() != stages.size()) {
		throw std::invalid_argument("Some stages wait for themselves");
	}
}

SchedulerActions QueryScheduler::Handle(const SchedulerEvent &event, TimeMs now) {
	time = std::max(time, now);
	if (ended) {
		CountLate(event);
		return {};
	}
	std::visit([this](const auto &concrete) { On(concrete); }, event);
	if (started && !ended) {
		Advance();
	}
	SchedulerActions result;
	result.swap(actions);
	return result;
}

void QueryScheduler::CountLate(const SchedulerEvent &event) {
	auto is_result =
	    std::holds_alternative<event::TaskSucceeded>(event) || std::holds_alternative<event::TaskFailed>(event);
	stats.late_results += is_result ? 1 : 0;
}

void QueryScheduler::On(const event::Start &) {
	if (started) {
		return;
	}
	started = true;
	for (auto &stage : stages) {
		for (TaskId task = 0; task < stage.tasks.size(); task++) {
			Enqueue(TaskKey {stage.plan.id, task});
		}
	}
}

void QueryScheduler::On(const event::StageSized &event) {
	if (event.stage >= stages.size() || stages[event.stage].sized) {
		return;
	}
	if (event.task_count == 0) {
		throw std::invalid_argument("Stage " + std::to_string(event.stage) + " is sized to no tasks");
	}
	auto &stage = stages[event.stage];
	if (!event.affinity_keys.empty() && event.affinity_keys.size() != event.task_count) {
		throw std::invalid_argument("Stage " + std::to_string(event.stage) + " needs one affinity key per task");
	}
	stage.plan.affinity_keys = event.affinity_keys;
	SetTaskCount(stage, event.task_count);
	stage.tasks.resize(event.task_count);
	stage.open = event.task_count;
	open_tasks += event.task_count;
	unconsumed_outputs += stage.plan.output_kind == ExchangeKind::RESULT ? event.task_count : 0;
	for (TaskId task = 0; task < event.task_count; task++) {
		Enqueue(TaskKey {event.stage, task});
	}
}

void QueryScheduler::SetTaskCount(StageRecord &stage, uint32_t task_count) {
	stats.total_tasks += task_count;
	stats.total_tasks -= stage.plan.task_count;
	stage.plan.task_count = task_count;
	stage.sized = true;
	unsized_stages--;
}

void QueryScheduler::On(const event::StageMerged &event) {
	if (event.stage >= stages.size() || stages[event.stage].sized) {
		return;
	}
	auto &stage = stages[event.stage];
	auto alone = stage.consumers.size() == 1 && stage.consumers[0] == event.into && stage.followers.empty();
	if (!alone || !stage.asked_for_size || stages[event.into].sized) {
		throw std::invalid_argument("Stage " + std::to_string(event.stage) + " cannot become part of stage " +
		                            std::to_string(event.into));
	}
	SetTaskCount(stage, 0);
	auto &into = stages[event.into];
	auto &inputs = into.plan.inputs;
	inputs.insert(inputs.end(), stage.plan.inputs.begin(), stage.plan.inputs.end());
	inputs.erase(std::remove(inputs.begin(), inputs.end(), event.stage), inputs.end());
	std::sort(inputs.begin(), inputs.end());
	inputs.erase(std::unique(inputs.begin(), inputs.end()), inputs.end());
	for (auto input : stage.plan.inputs) {
		auto &readers = stages[input].consumers;
		readers.erase(std::remove(readers.begin(), readers.end(), event.stage), readers.end());
		if (std::find(readers.begin(), readers.end(), event.into) == readers.end()) {
			readers.push_back(event.into);
		}
	}
	stage.plan.inputs.clear();
	stage.consumers.clear();
	into.missing_inputs = 0;
	for (auto input : inputs) {
		into.missing_inputs += stages[input].Complete() ? 0 : 1;
	}
	into.plan.repeatable = into.plan.repeatable && stage.plan.repeatable;
	into.plan.may_speculate = into.plan.may_speculate && stage.plan.may_speculate;
}

void QueryScheduler::On(const event::WorkerJoined &event) {
	pool.Join(pool.Intern(event.worker), event.slots);
}

void QueryScheduler::On(const event::WorkerDraining &event) {
	auto worker = pool.Find(event.worker);
	if (worker != NO_WORKER && pool.IsPresent(worker)) {
		pool.Drain(worker);
	}
}

QueryScheduler::TaskRecord *QueryScheduler::FindRunning(TaskKey key, Attempt attempt, const WorkerId &worker) {
	if (IsRunning(key, attempt, worker)) {
		return &Record(key);
	}
	if (MadeOutput(key, attempt, worker)) {
		stats.duplicate_results++;
	} else {
		stats.stale_results++;
	}
	return nullptr;
}

bool QueryScheduler::MadeOutput(TaskKey key, Attempt attempt, const WorkerId &worker) const {
	if (!IsKnown(key)) {
		return false;
	}
	auto &record = stages[key.stage].tasks[key.task];
	return record.state == TaskState::DONE && record.main.number == attempt && pool.Name(record.main.worker) == worker;
}

void QueryScheduler::On(const event::TaskSucceeded &event) {
	auto record = FindRunning(event.task, event.attempt, event.worker);
	if (!record) {
		return;
	}
	stats.speculative_won += record->speculative && record->speculative->number == event.attempt ? 1 : 0;
	CancelOther(event.task, event.attempt);
	auto &stage = StageOf(event.task);
	auto &attempt = record->main;
	stage.not_speculated.erase({attempt.started_at, event.task.task});
	stage.durations.Add(time - attempt.started_at);
	pool.Release(attempt.worker, event.task);
	pool.AddOutput(attempt.worker, event.task);
	record->state = TaskState::DONE;
	record->output_sequence = ++sequence;
	stage.open--;
	open_tasks--;
	CountFirstSuccess(event.task);
	SetAvailable(event.task, true);
	auto &keys = stage.plan.affinity_keys;
	if (!keys.empty() && !keys[event.task.task].empty()) {
		affinity.Put(keys[event.task.task], event.worker);
	}
	if (stage.plan.output_kind == ExchangeKind::RESULT && !record->consumed) {
		record->announced = true;
		actions.emplace_back(action::TaskReady {event.task, event.attempt, event.worker});
	}
	if (stage.open == 0) {
		DropSuperfluousReruns(stage);
	}
}

void QueryScheduler::On(const event::TaskOutputConsumed &event) {
	if (!IsKnown(event.task) || !Record(event.task).announced || Record(event.task).consumed) {
		return;
	}
	auto &record = Record(event.task);
	record.consumed = true;
	unconsumed_outputs--;
	// Read in time, before the loss that made it run again
	if (record.state != TaskState::DONE && !IsNeeded(StageOf(event.task), event.task.task)) {
		AbandonRerun(event.task);
	}
}

void QueryScheduler::On(const event::QueryConsumed &) {
	Finish();
}

void QueryScheduler::On(const event::Cancel &) {
	TaskError error;
	error.kind = ErrorKind::CANCELLED;
	error.exception_type = "INTERRUPT";
	error.message = "The query was cancelled";
	Fail(std::move(error));
}

void QueryScheduler::On(const event::TimerFired &) {
	armed_timer.reset();
}

bool QueryScheduler::IsRunning(TaskKey key, Attempt attempt, const WorkerId &worker) const {
	if (!IsKnown(key)) {
		return false;
	}
	auto &record = stages[key.stage].tasks[key.task];
	auto is = [&](const AttemptRecord &one) { return one.number == attempt && pool.Name(one.worker) == worker; };
	return record.state == TaskState::RUNNING && (is(record.main) || (record.speculative && is(*record.speculative)));
}

bool QueryScheduler::IsKnown(TaskKey key) const {
	return key.stage < stages.size() && key.task < stages[key.stage].tasks.size();
}

QueryScheduler::TaskRecord &QueryScheduler::Record(TaskKey key) {
	return stages[key.stage].tasks[key.task];
}

QueryScheduler::StageRecord &QueryScheduler::StageOf(TaskKey key) {
	return stages[key.stage];
}

} // namespace duckherder
