#pragma once

#include "scheduler/affinity_map.hpp"
#include "scheduler/running_median.hpp"
#include "scheduler/scheduler_types.hpp"
#include "scheduler/stage_queue.hpp"
#include "scheduler/worker_pool.hpp"

#include <map>
#include <optional>
#include <set>
#include <vector>

namespace duckherder {

//! Decides what runs where for one query. It is a pure state machine without threads, sockets or clocks: the same
//! events at the same times with the same seed give the same actions. It is not thread-safe.
//!
//! Of the stages that can run, the one with the smallest number goes first. Producers have smaller numbers, so what has
//! to run again goes before what waits for it. (Closest to the root first would free no memory, because outputs are
//! kept until the query ends, for retries.)
//!
//! Contract: Every query ends with exactly one QueryFinished or QueryFailed, after which Handle returns nothing. As far
//! as the scheduler knows, at most one attempt per task runs, or two at different workers if the first is slow, and at
//! most `slots` per worker. Of every task exactly one attempt counts at a time. A task starts only while every output
//! that it reads is at a worker not known to be lost. No slot stays free while a task that may run there waits.
class QueryScheduler {
public:
	//! Throws std::invalid_argument where `stages` breaks the rules of SchedulerStage. `affinity` must outlive this.
	QueryScheduler(std::vector<SchedulerStage> stages, SchedulerConfig config, AffinityMap &affinity);

	//! `now` should not decrease. A step back counts as no time at all.
	SchedulerActions Handle(const SchedulerEvent &event, TimeMs now);

	//! Says whether QueryFinished or QueryFailed has been returned.
	bool Ended() const;
	//! Says whether every task has succeeded. The session may still have to read.
	bool AllTasksDone() const;
	bool StageDone(StageId stage) const;
	TaskInfo Task(TaskKey task) const;
	//! Says whether a result of this attempt would count now.
	bool IsRunning(TaskKey task, Attempt attempt, const WorkerId &worker) const;
	//! Returns the outputs of a stage in task order. Only readable ones are among them, hence all of them when a
	//! consumer is started.
	std::vector<TaskOutput> StageOutputs(StageId stage) const;
	//! The number changes whenever StageOutputs(stage) may have changed, so that a caller can keep what it made of
	//! them.
	uint64_t StageOutputsVersion(StageId stage) const;
	//! The number is a guess while the stage is not sized.
	uint32_t TaskCount(StageId stage) const;
	bool IsSized(StageId stage) const;
	uint32_t StageCount() const;
	SchedulerStats Stats() const;
	//! Returns done tasks / all tasks. The share may fall when outputs are lost.
	double Progress() const;

private:
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
		//! These two are only for stages whose rows go to the session. TaskReady has announced the output at least
		//! once; the session has read it.
		bool announced = false;
		bool consumed = false;
		//! The task has succeeded at least once.
		bool succeeded = false;
		//! The task is QUEUED, but is not in the stage's queue before its back-off ends.
		bool backing_off = false;
		//! This many attempts were started, and this many of them were speculative: those take nothing from the
		//! retries.
		uint32_t attempts = 0;
		uint32_t speculative_attempts = 0;
		//! This many attempts failed without saying anything against the task. They take nothing from the retries
		//! either.
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
		StageQueue queue;
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

		bool Complete() const {
			return sized && available == plan.task_count;
		}
		//! The stage has tasks to run, or will have some.
		bool Unfinished() const {
			return open > 0 || !sized;
		}
		uint64_t outputs_version = 0;
	};

	struct BackingOff {
		TaskKey task;
		uint32_t attempts;
	};

	// query_scheduler.cpp: events
	void AddStage(SchedulerStage plan);
	void ConnectFollowers();
	void On(const event::Start &event);
	void On(const event::WorkerJoined &event);
	void On(const event::WorkerLost &event);
	void On(const event::WorkerDraining &event);
	void On(const event::TaskSucceeded &event);
	void On(const event::TaskFailed &event);
	void On(const event::StageSized &event);
	void On(const event::StageMerged &event);
	void On(const event::TaskOutputConsumed &event);
	void On(const event::TaskOutputLost &event);
	void On(const event::QueryConsumed &event);
	void On(const event::Cancel &event);
	void On(const event::TimerFired &event);
	//! Returns the record if `attempt` is a running one of a known task. Otherwise it counts the result as ignored.
	TaskRecord *FindRunning(TaskKey key, Attempt attempt, const WorkerId &worker);
	//! Says whether this attempt of a known task is the one that counts.
	bool MadeOutput(TaskKey key, Attempt attempt, const WorkerId &worker) const;
	void CountLate(const SchedulerEvent &event);
	void SetTaskCount(StageRecord &stage, uint32_t task_count);

	// query_scheduler_dispatch.cpp: what follows from any event
	void Advance();
	void EndBackOffs();
	void AskForSizes();
	void CountFirstSuccess(TaskKey key);
	void Dispatch();
	bool StartOneTask(const std::vector<StageId> &ready);
	void StartAttempt(TaskKey key, WorkerIndex worker);
	void Enqueue(TaskKey key);
	void SetAvailable(TaskKey key, bool available);
	void CheckWorkers();
	void ArmTimer();
	void Finish();
	void Fail(TaskError error);
	void StopRunning();

	// query_scheduler_speculation.cpp: second attempts of slow tasks
	bool MaySpeculate(const StageRecord &stage, const TaskRecord &record) const;
	//! Returns when a task of the stage that started now would be slow, or nothing while too few are done to tell.
	std::optional<uint64_t> StragglerMs(const StageRecord &stage) const;
	void CopyStragglers();
	//! Starts a second attempt if there is a worker for it.
	void CopyStraggler(TaskKey key);
	void StartCopy(TaskKey key, WorkerIndex worker);
	//! Of two running attempts this one goes on alone as the main one. The other one has ended, as far as this knows.
	void KeepOnly(TaskKey key, bool speculative);
	//! The other attempt is told.
	void CancelOther(TaskKey key, Attempt kept);

	// query_scheduler_recovery.cpp: failures and lost outputs
	//! The only running attempt does not count any more. The task is QUEUED, but not in a queue yet.
	void StopAttempt(TaskKey key);
	//! Cancels one running attempt, or both.
	void CancelAttempts(TaskKey key);
	//! Is called after StopAttempt. Returns false if that was the last attempt allowed: then the query has failed.
	bool Retry(TaskKey key, const TaskError &error, bool back_off);
	bool CheckAttempts(TaskKey key, const TaskError &error);
	//! Counts a failure that says nothing against the task, unless there have been such failures for too long.
	bool Forgive(TaskRecord &record, const TaskError &error, bool lost_input);
	void FailTask(TaskKey key, TaskError error);
	void NoteFailedAt(TaskKey key, WorkerIndex worker);
	uint64_t BackOffMs(uint32_t failures);
	//! The output is gone, wherever it was.
	void LoseOutput(TaskKey key);
	//! The outputs at `worker` that were made before `before`, of the stages in `of` (of all stages if it is null), are
	//! gone.
	void LoseOutputs(WorkerIndex worker, uint64_t before, const std::vector<StageId> *of);
	//! Runs again what was lost and is needed, consumers before producers.
	void RecoverLost(const TaskError &error);
	bool RecoverStage(StageRecord &stage, const TaskError &error);
	//! Says whether the session may have read some of its output.
	bool IsAnnounced(const StageRecord &stage) const;
	//! Is called when a stage that is not repeatable runs again: nothing may build on its former version.
	void InvalidateReaders(const StageRecord &stage, const TaskError &error);
	//! Returns false if the query has failed.
	bool RestartRunning(const StageRecord &stage, const TaskError &error);
	//! Says whether consumers of the stage still have tasks to run.
	bool HasWaitingConsumer(const StageRecord &stage) const;
	bool IsNeeded(const StageRecord &stage, TaskId task) const;
	//! The consumers of the stage are done, so producers that were about to run again for them need not.
	void DropSuperfluousReruns(const StageRecord &stage);
	void AbandonRerun(TaskKey key);

	uint32_t DoneTasks() const;
	TaskRecord &Record(TaskKey key);
	StageRecord &StageOf(TaskKey key);
	bool IsKnown(TaskKey key) const;

	const SchedulerConfig config;
	AffinityMap &affinity;
	WorkerPool pool;
	std::vector<StageRecord> stages;
	//! The tasks that have failed, failed at these workers, in the order of the last failure.
	std::map<TaskKey, std::vector<WorkerIndex>> failed_at;
	std::multimap<TimeMs, BackingOff> back_offs;
	SchedulerActions actions;
	SchedulerStats stats;
	uint64_t open_tasks = 0;
	uint64_t unconsumed_outputs = 0;
	uint32_t unsized_stages = 0;
	uint64_t sequence = 0;
	uint64_t random_state;
	TimeMs time = 0;
	std::optional<TimeMs> no_worker_deadline;
	std::optional<TimeMs> armed_timer;
	//! The next running task becomes slow at this time, while a slot is free.
	std::optional<TimeMs> straggler_due;
	uint32_t running_speculative = 0;
	//! The last task had to run again for this reason.
	std::optional<TaskError> last_failure;
	//! Tasks of this query have broken this many workers.
	uint32_t broken_workers = 0;
	bool started = false;
	bool ended = false;
};

} // namespace duckherder
