#pragma once

#include "scheduler/running_median.hpp"
#include "scheduler/scheduler_types.hpp"
#include "scheduler/worker_pool.hpp"

#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace duckherder {

//! An attempt that runs, or has made the output.
struct AttemptRecord {
	Attempt number = 0;
	WorkerIndex worker = NO_WORKER;
	TimeMs started_at = 0;
	//! It started at this position in the sequence of starts and outputs.
	uint64_t start_sequence = 0;
};

struct TaskRecord {
	TaskState state = TaskState::QUEUED;
	bool output_available = false;
	//! These two are only for stages whose rows go to the session. TaskReady has announced the output at least once;
	//! the session has read it.
	bool announced = false;
	bool consumed = false;
	//! The task has succeeded at least once.
	bool succeeded = false;
	//! The task is QUEUED, but does not wait for a worker before its back-off ends.
	bool backing_off = false;
	//! This many attempts were started, and this many of them were speculative: those take nothing from the retries.
	uint32_t attempts = 0;
	uint32_t speculative_attempts = 0;
	//! This many attempts failed without saying anything against the task. They take nothing from the retries either.
	uint32_t forgiven = 0;
	//! The first of those failed at this time.
	std::optional<TimeMs> first_forgiven;
	//! This is the last attempt, or the faster of two. Its result counts.
	AttemptRecord main;
	//! This is the second attempt of two that run. The first to succeed becomes the main one.
	std::optional<AttemptRecord> speculative;
	//! The output was made at this position in the sequence of starts and outputs.
	uint64_t output_sequence = 0;
};

struct StageRecord {
	SchedulerStage plan;
	std::vector<StageId> consumers;
	//! These stages start only after this one.
	std::vector<StageId> followers;
	std::vector<TaskRecord> tasks;
	//! This many tasks are QUEUED or RUNNING.
	uint32_t open = 0;
	//! This many tasks have an available output.
	uint32_t available = 0;
	//! These tasks are DONE, but their output is lost. They run again once somebody needs it.
	std::set<TaskId> lost;
	//! This many input stages lack some output.
	uint32_t missing_inputs = 0;
	//! This many stages of plan.after have a task that has never succeeded.
	uint32_t missing_before = 0;
	//! This many tasks have succeeded, whether their outputs are still there or not.
	uint32_t succeeded = 0;
	bool sized = true;
	bool asked_for_size = false;
	//! The durations, in ms, are those of its attempts that succeeded.
	RunningMedian durations;
	//! These running tasks have no speculative attempt yet but may get one. They are ordered by when they started.
	std::set<std::pair<TimeMs, TaskId>> not_speculated;
	uint64_t outputs_version = 0;

	bool Complete() const {
		return sized && available == plan.task_count;
	}
	//! Says whether the stage has tasks to run, or will have some.
	bool Unfinished() const {
		return open > 0 || !sized;
	}
	bool GivesToSession() const {
		return plan.output_kind == ExchangeKind::RESULT;
	}
	//! Says whether the stage waits for nothing but workers (and, before it is sized, its number of tasks).
	bool CanStart() const {
		return missing_inputs == 0 && missing_before == 0;
	}
	//! Says whether the session may have read some of its output.
	bool IsAnnounced() const;
};

//! The stages of one query with their tasks, and what follows for a stage from the state of others. Who changes the
//! state of a task between QUEUED and RUNNING may do so in its record; everything that other records depend on changes
//! by a call of this class. Ids are not checked, except where it is said.
class StageTable {
public:
	//! Throws std::invalid_argument where `plans` breaks the rules of SchedulerStage. Without `speculate` no stage may
	//! have speculative attempts, whatever its plan says.
	StageTable(std::vector<SchedulerStage> plans, bool speculate);

	//! Says whether there is such a task. Any key may be asked for.
	bool IsKnown(TaskKey key) const;
	//! These throw std::out_of_range for what is not known.
	const StageRecord &Stage(StageId stage) const {
		return stages.at(stage);
	}
	const TaskRecord &Task(TaskKey key) const {
		return stages.at(key.stage).tasks.at(key.task);
	}
	StageRecord &Stage(StageId stage) {
		return stages.at(stage);
	}
	TaskRecord &Task(TaskKey key) {
		return stages.at(key.stage).tasks.at(key.task);
	}
	//! Returns all stages. Their ids are their positions.
	std::vector<StageRecord> &Stages() {
		return stages;
	}
	const std::vector<StageRecord> &Stages() const {
		return stages;
	}

	//! Says whether the stage waits for StageSized or StageMerged. Any id may be asked for.
	bool IsUnsized(StageId stage) const {
		return stage < stages.size() && !stages[stage].sized;
	}
	//! Gives an unsized stage its tasks. Throws std::invalid_argument if the event is wrong.
	void Size(const event::StageSized &event);
	//! Lets `into` do the work of an unsized stage. Throws std::invalid_argument if that cannot be.
	void Merge(StageId stage, StageId into);

	//! The running task is DONE, and its output available.
	void Complete(TaskKey key);
	//! The output of a task that is DONE is gone, wherever it was.
	void LoseOutput(TaskKey key);
	//! A task that is DONE, and whose output is lost, is QUEUED.
	void Reopen(TaskKey key);
	//! A task that ran again for a lost output, and now waits and does not run, is DONE without it.
	void Abandon(TaskKey key);
	//! The session has read the output of this task.
	void Consume(TaskKey key);

	//! Says whether a consumer of the stage still has tasks to run.
	bool HasWaitingConsumer(const StageRecord &stage) const;
	//! Says whether somebody will read the output of this task.
	bool IsNeeded(const StageRecord &stage, TaskId task) const;

	bool AllTasksDone() const {
		return open_tasks == 0 && AllSized();
	}
	bool AllConsumed() const {
		return unconsumed_outputs == 0;
	}
	bool AllSized() const {
		return unsized_stages == 0;
	}
	uint64_t OpenTasks() const {
		return open_tasks;
	}
	uint32_t DoneTasks() const;
	//! Tasks of a stage that is not sized are counted as its plan guesses.
	uint32_t TotalTasks() const {
		return total_tasks;
	}

private:
	void Add(SchedulerStage plan);
	void ConnectFollowers();
	void RequireOrder() const;
	void OpenAll(StageRecord &stage);
	void SetTaskCount(StageRecord &stage, uint32_t task_count);
	void CountFirstSuccess(TaskKey key);
	void SetAvailable(TaskKey key, bool available);
	uint32_t CountMissing(const std::vector<StageId> &of) const;

	std::vector<StageRecord> stages;
	uint64_t open_tasks = 0;
	uint64_t unconsumed_outputs = 0;
	uint32_t unsized_stages = 0;
	uint32_t total_tasks = 0;
};

} // namespace duckherder
