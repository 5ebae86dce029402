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

//! Decides what runs where for one query. A pure state machine: no threads, sockets or clocks; the same events at the
//! same times with the same seed give the same actions. Not thread-safe.
//!
//! Of the stages that can run, the one with the smallest number goes first: producers have smaller numbers, so what has
//! to run again goes before what waits for it. (Closest to the root first would free no memory: outputs are kept until
//! the query ends, for retries.)
//!
//! Contract: every query ends with exactly one QueryFinished or QueryFailed, after which Handle returns nothing; at
//! most one attempt per task runs as far as the scheduler knows, or two at different workers if the first is slow, and
//! at most `slots` per worker; of every task exactly one attempt counts at a time; a task starts only while every
//! output it reads is at a worker not known to be lost; no slot stays free while a task that may run there waits.
class QueryScheduler {
public:
	//! Throws std::invalid_argument where `stages` breaks the rules of SchedulerStage. `affinity` must outlive this.
	QueryScheduler(std::vector<SchedulerStage> stages, SchedulerConfig config, AffinityMap &affinity);

	//! `now` should not decrease; a step back counts as no time at all.
	SchedulerActions Handle(const SchedulerEvent &event, TimeMs now);

	//! QueryFinished or QueryFailed has been returned
	bool Ended() const;
	//! Every task has succeeded (the session may still have to read)
	bool AllTasksDone() const;
	bool StageDone(StageId stage) const;
	TaskInfo Task(TaskKey task) const;
	//! A result of this attempt would count now
	bool IsRunning(TaskKey task, Attempt attempt, const WorkerId &worker) const;
	//! Outputs of a stage in task order: only those readable, hence all of them when a consumer is started
	std::vector<TaskOutput> StageOutputs(StageId stage) const;
	//! Changes whenever StageOutputs(stage) may have changed, so that a caller can keep what it made of them
	uint64_t StageOutputsVersion(StageId stage) const;
	//! A guess while the stage is not sized
	uint32_t TaskCount(StageId stage) const;
	bool IsSized(StageId stage) const;
	uint32_t StageCount() const;
	SchedulerStats Stats() const;
	//! Done tasks / all tasks; may fall when outputs are lost
	double Progress() const;

private:
	//! An attempt that runs, or has made the output
	struct AttemptRecord {
		Attempt number = 0;
		WorkerIndex worker = NO_WORKER;
		TimeMs started_at = 0;
		//! When it started, in numbers of starts and outputs
		uint64_t start_sequence = 0;
	};

	struct TaskRecord {
		TaskState state = TaskState::QUEUED;
		bool output_available = false;
		//! Only for gather stages: announced by TaskReady at least once; read by the session
		bool announced = false;
		bool consumed = false;
		//! At least once
		bool succeeded = false;
		//! QUEUED, but not in the stage's queue before its back-off ends
		bool backing_off = false;
		//! Attempts started, and those of them that were speculative: they take nothing from the retries
		uint32_t attempts = 0;
		uint32_t speculative_attempts = 0;
		//! Attempts that failed without saying anything against the task: they take nothing from the retries either
		uint32_t forgiven = 0;
		//! When the first of those failed
		std::optional<TimeMs> first_forgiven;
		//! The last one, or the faster of two: whose result counts
		AttemptRecord main;
		//! The second one of two that run; the first to succeed becomes the main one
		std::optional<AttemptRecord> speculative;
		//! When its output was made, in numbers of starts and outputs
		uint64_t output_sequence = 0;
	};

	struct StageRecord {
		SchedulerStage plan;
		std::vector<StageId> consumers;
		//! Stages that start only after this one
		std::vector<StageId> followers;
		std::vector<TaskRecord> tasks;
		StageQueue queue;
		//! Tasks QUEUED or RUNNING
		uint32_t open = 0;
		//! Tasks whose output is available
		uint32_t available = 0;
		//! Tasks DONE whose output is lost; they run again once somebody needs it
		std::set<TaskId> lost;
		//! Input stages of which some output is not available
		uint32_t missing_inputs = 0;
		//! Stages in plan.after of which some task has never succeeded
		uint32_t missing_before = 0;
		//! Tasks that have succeeded, whether their outputs are still there or not
		uint32_t succeeded = 0;
		bool sized = true;
		bool asked_for_size = false;
		//! Of its attempts that succeeded, ms
		RunningMedian durations;
		//! Running tasks that have no speculative attempt yet but may get one, by when they started
		std::set<std::pair<TimeMs, TaskId>> not_speculated;

		bool Complete() const {
			return sized && available == plan.task_count;
		}
		//! Has tasks to run, or will have
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
	//! The record, if `attempt` is a running one of a known task; otherwise counts the result as ignored
	TaskRecord *FindRunning(TaskKey key, Attempt attempt, const WorkerId &worker);
	//! This attempt of a known task is the one that counts
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
	//! When a task of the stage that started now would be slow; nothing while too few are done to tell
	std::optional<uint64_t> StragglerMs(const StageRecord &stage) const;
	void CopyStragglers();
	//! If there is a worker for it
	void CopyStraggler(TaskKey key);
	void StartCopy(TaskKey key, WorkerIndex worker);
	//! Of two running attempts this one goes on alone as the main one; the other one has ended, as far as this knows
	void KeepOnly(TaskKey key, bool speculative);
	//! The other one is told
	void CancelOther(TaskKey key, Attempt kept);

	// query_scheduler_recovery.cpp: failures and lost outputs
	//! The only running attempt does not count any more; the task is QUEUED, but not in a queue yet
	void StopAttempt(TaskKey key);
	//! One or both
	void CancelAttempts(TaskKey key);
	//! After StopAttempt; false if that was the last attempt allowed: then the query has failed
	bool Retry(TaskKey key, const TaskError &error, bool back_off);
	bool CheckAttempts(TaskKey key, const TaskError &error);
	//! Counts a failure that says nothing against the task, unless there have been such for too long
	bool Forgive(TaskRecord &record, const TaskError &error, bool lost_input);
	void FailTask(TaskKey key, TaskError error);
	void NoteFailedAt(TaskKey key, WorkerIndex worker);
	uint64_t BackOffMs(uint32_t failures);
	//! The output is gone, wherever it was
	void LoseOutput(TaskKey key);
	//! Outputs at `worker`, made before `before`, of the stages in `of` (all stages if null), are gone
	void LoseOutputs(WorkerIndex worker, uint64_t before, const std::vector<StageId> *of);
	//! Runs again what was lost and is needed, consumers before producers
	void RecoverLost(const TaskError &error);
	bool RecoverStage(StageRecord &stage, const TaskError &error);
	//! The session may have read some of its output
	bool IsAnnounced(const StageRecord &stage) const;
	//! A stage that is not repeatable runs again: nothing may build on its former version
	void InvalidateReaders(const StageRecord &stage, const TaskError &error);
	//! False if the query has failed
	bool RestartRunning(const StageRecord &stage, const TaskError &error);
	//! Consumers of the stage still have tasks to run
	bool HasWaitingConsumer(const StageRecord &stage) const;
	bool IsNeeded(const StageRecord &stage, TaskId task) const;
	//! Its consumers are done: producers that were about to run again for them need not
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
	//! Where tasks failed, in the order of the last failure; only for tasks that did
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
	//! When the next running task becomes slow while a slot is free
	std::optional<TimeMs> straggler_due;
	uint32_t running_speculative = 0;
	//! Why the last task had to run again
	std::optional<TaskError> last_failure;
	//! Workers that tasks of this query have broken
	uint32_t broken_workers = 0;
	bool started = false;
	bool ended = false;
};

} // namespace duckherder
