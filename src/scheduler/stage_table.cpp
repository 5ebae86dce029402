#include "scheduler/stage_table.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace duckherder {

[[noreturn]] static void Reject(StageId stage, const std::string &why) {
	throw std::invalid_argument("Stage " + std::to_string(stage) + " " + why);
}

static void RequireKeys(StageId stage, const std::vector<std::string> &affinity_keys, uint32_t task_count) {
	if (!affinity_keys.empty() && affinity_keys.size() != task_count) {
		Reject(stage, "needs one affinity key per task");
	}
}

static void SortUnique(std::vector<StageId> &ids) {
	std::sort(ids.begin(), ids.end());
	ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

bool StageRecord::IsAnnounced() const {
	return std::any_of(tasks.begin(), tasks.end(), [](const TaskRecord &task) { return task.announced; });
}

StageTable::StageTable(std::vector<SchedulerStage> plans, bool speculate) {
	stages.reserve(plans.size());
	for (auto &plan : plans) {
		plan.may_speculate = plan.may_speculate && plan.repeatable && speculate;
		Add(std::move(plan));
	}
	ConnectFollowers();
	RequireOrder();
}

void StageTable::Add(SchedulerStage plan) {
	if (plan.id != stages.size()) {
		Reject(plan.id, "is at position " + std::to_string(stages.size()));
	}
	RequireKeys(plan.id, plan.affinity_keys, plan.task_count);
	SortUnique(plan.inputs);
	StageRecord stage;
	for (auto input : plan.inputs) {
		if (input >= plan.id) {
			Reject(plan.id, "reads stage " + std::to_string(input));
		}
		stages[input].consumers.push_back(plan.id);
	}
	stage.missing_inputs = CountMissing(plan.inputs);
	total_tasks += plan.task_count;
	stage.sized = !plan.deferred_task_count;
	stage.plan = std::move(plan);
	if (stage.sized) {
		OpenAll(stage);
	} else {
		if (!stage.plan.affinity_keys.empty()) {
			Reject(stage.plan.id, "has affinity keys, but no tasks yet");
		}
		unsized_stages++;
	}
	stages.push_back(std::move(stage));
}

void StageTable::OpenAll(StageRecord &stage) {
	stage.open = stage.plan.task_count;
	stage.tasks.resize(stage.open);
	open_tasks += stage.open;
	unconsumed_outputs += stage.GivesToSession() ? stage.open : 0;
}

void StageTable::ConnectFollowers() {
	for (auto &stage : stages) {
		auto &after = stage.plan.after;
		SortUnique(after);
		for (auto before : after) {
			if (before >= stages.size()) {
				Reject(stage.plan.id, "waits for stage " + std::to_string(before) + ", which does not exist");
			}
			stages[before].followers.push_back(stage.plan.id);
		}
		stage.missing_before = CountMissing(after);
	}
}

void StageTable::RequireOrder() const {
	// An order in which each stage can run has all of them, unless some wait for themselves
	std::vector<size_t> waits_for;
	std::vector<StageId> order;
	for (auto &stage : stages) {
		waits_for.push_back(stage.plan.after.size() + stage.plan.inputs.size());
		if (waits_for.back() == 0) {
			order.push_back(stage.plan.id);
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

uint32_t StageTable::CountMissing(const std::vector<StageId> &of) const {
	auto is_missing = [this](StageId stage) { return !stages[stage].Complete(); };
	return static_cast<uint32_t>(std::count_if(of.begin(), of.end(), is_missing));
}

bool StageTable::IsKnown(TaskKey key) const {
	return key.stage < stages.size() && key.task < stages[key.stage].tasks.size();
}

void StageTable::Size(const event::StageSized &event) {
	if (event.task_count == 0) {
		Reject(event.stage, "is sized to no tasks");
	}
	RequireKeys(event.stage, event.affinity_keys, event.task_count);
	auto &stage = stages[event.stage];
	stage.plan.affinity_keys = event.affinity_keys;
	SetTaskCount(stage, event.task_count);
	OpenAll(stage);
}

void StageTable::SetTaskCount(StageRecord &stage, uint32_t task_count) {
	total_tasks += task_count;
	total_tasks -= stage.plan.task_count;
	stage.plan.task_count = task_count;
	stage.sized = true;
	unsized_stages--;
}

void StageTable::Merge(StageId id, StageId into_id) {
	auto &stage = stages[id];
	auto alone = stage.consumers.size() == 1 && stage.consumers[0] == into_id && stage.followers.empty();
	if (!alone || !stage.asked_for_size || stages[into_id].sized) {
		Reject(id, "cannot become part of stage " + std::to_string(into_id));
	}
	SetTaskCount(stage, 0);
	auto &into = stages[into_id];
	auto &inputs = into.plan.inputs;
	inputs.insert(inputs.end(), stage.plan.inputs.begin(), stage.plan.inputs.end());
	inputs.erase(std::remove(inputs.begin(), inputs.end(), id), inputs.end());
	SortUnique(inputs);
	for (auto input : stage.plan.inputs) {
		auto &readers = stages[input].consumers;
		readers.erase(std::remove(readers.begin(), readers.end(), id), readers.end());
		if (std::find(readers.begin(), readers.end(), into_id) == readers.end()) {
			readers.push_back(into_id);
		}
	}
	stage.plan.inputs.clear();
	stage.consumers.clear();
	into.missing_inputs = CountMissing(inputs);
	into.plan.repeatable = into.plan.repeatable && stage.plan.repeatable;
	into.plan.may_speculate = into.plan.may_speculate && stage.plan.may_speculate;
}

void StageTable::Complete(TaskKey key) {
	Task(key).state = TaskState::DONE;
	Stage(key.stage).open--;
	open_tasks--;
	CountFirstSuccess(key);
	SetAvailable(key, true);
}

void StageTable::LoseOutput(TaskKey key) {
	SetAvailable(key, false);
	Stage(key.stage).lost.insert(key.task);
}

void StageTable::Reopen(TaskKey key) {
	Task(key).state = TaskState::QUEUED;
	Stage(key.stage).lost.erase(key.task);
	Stage(key.stage).open++;
	open_tasks++;
}

void StageTable::Abandon(TaskKey key) {
	Task(key).state = TaskState::DONE;
	Stage(key.stage).lost.insert(key.task);
	Stage(key.stage).open--;
	open_tasks--;
}

void StageTable::Consume(TaskKey key) {
	Task(key).consumed = true;
	unconsumed_outputs--;
}

void StageTable::CountFirstSuccess(TaskKey key) {
	auto &stage = Stage(key.stage);
	if (std::exchange(Task(key).succeeded, true) || ++stage.succeeded < stage.tasks.size()) {
		return;
	}
	for (auto follower : stage.followers) {
		stages[follower].missing_before--;
	}
}

void StageTable::SetAvailable(TaskKey key, bool available) {
	auto &stage = Stage(key.stage);
	auto &record = Task(key);
	if (record.output_available == available) {
		return;
	}
	auto was_complete = stage.Complete();
	record.output_available = available;
	stage.available += available ? 1 : -1;
	stage.outputs_version++;
	auto is_complete = stage.Complete();
	if (was_complete != is_complete) {
		for (auto consumer : stage.consumers) {
			stages[consumer].missing_inputs += is_complete ? -1 : 1;
		}
	}
}

bool StageTable::HasWaitingConsumer(const StageRecord &stage) const {
	auto waits = [this](StageId consumer) { return stages[consumer].Unfinished(); };
	return std::any_of(stage.consumers.begin(), stage.consumers.end(), waits);
}

bool StageTable::IsNeeded(const StageRecord &stage, TaskId task) const {
	return (stage.GivesToSession() && !stage.tasks[task].consumed) || HasWaitingConsumer(stage);
}

uint32_t StageTable::DoneTasks() const {
	uint64_t done = 0;
	for (auto &stage : stages) {
		done += stage.tasks.size() - stage.open;
	}
	return static_cast<uint32_t>(done);
}

} // namespace duckherder
