#pragma once

#include "scheduler/affinity_map.hpp"
#include "scheduler/dispatch.hpp"
#include "scheduler/recovery.hpp"
#include "scheduler/retries.hpp"
#include "scheduler/running_attempts.hpp"
#include "scheduler/scheduler_types.hpp"
#include "scheduler/speculation.hpp"
#include "scheduler/stage_table.hpp"
#include "scheduler/worker_pool.hpp"

#include <optional>
#include <vector>

namespace duckherder {

//! Decides what runs where for one query. It is a pure state machine without threads, sockets or clocks: the same
//! events at the same times with the same seed give the same actions. It is not thread-safe.
//!
//! Of the stages that can run, the one with the smallest number goes first. Producers have smaller numbers, so what has
//! to run again goes before what waits for it. (Closest to the root first would free no memory, because outputs are
//! kept until the query ends, for retries.)
//!
//! Its parts decide; it gives them the events and the time, and knows when the query ends.
//!
//! Contract: Every query ends with exactly one QueryFinished or QueryFailed, after which Handle returns nothing. As far
//! as the scheduler knows, at most one attempt per task runs, or two at different workers if the first is slow, and at
//! most `slots` per worker. Of every task exactly one attempt counts at a time. A task starts only while every output
//! that it reads is at a worker not known to be lost. No slot stays free while a task that may run there waits.
class QueryScheduler {
public:
	//! Throws std::invalid_argument where `stages` breaks the rules of SchedulerStage. `affinity` must outlive this.
	QueryScheduler(std::vector<SchedulerStage> stages, SchedulerConfig config, AffinityMap &affinity);
	//! The parts refer to each other.
	QueryScheduler(const QueryScheduler &) = delete;
	QueryScheduler &operator=(const QueryScheduler &) = delete;

	//! `now` should not decrease. A step back counts as no time at all.
	SchedulerActions Handle(const SchedulerEvent &event, TimeMs now);

	//! Says whether QueryFinished or QueryFailed has been returned.
	bool Ended() const {
		return ended;
	}
	//! Says whether every task has succeeded. The session may still have to read.
	bool AllTasksDone() const {
		return table.AllTasksDone();
	}
	bool StageDone(StageId stage) const {
		return !table.Stage(stage).Unfinished();
	}
	TaskInfo Task(TaskKey task) const;
	//! Says whether a result of this attempt would count now.
	bool IsRunning(TaskKey task, Attempt attempt, const WorkerId &worker) const;
	//! Returns the outputs of a stage in task order. Only readable ones are among them, hence all of them when a
	//! consumer is started.
	std::vector<TaskOutput> StageOutputs(StageId stage) const;
	//! The number changes whenever StageOutputs(stage) may have changed, so that a caller can keep what it made of
	//! them.
	uint64_t StageOutputsVersion(StageId stage) const {
		return table.Stage(stage).outputs_version;
	}
	//! The number is a guess while the stage is not sized.
	uint32_t TaskCount(StageId stage) const {
		return table.Stage(stage).plan.task_count;
	}
	bool IsSized(StageId stage) const {
		return table.Stage(stage).sized;
	}
	uint32_t StageCount() const;
	SchedulerStats Stats() const;
	//! Returns done tasks / all tasks. The share may fall when outputs are lost.
	double Progress() const;

private:
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
	//! Says whether the result counts. Otherwise it is counted as ignored.
	bool Accept(TaskKey key, Attempt attempt, const WorkerId &worker);
	void CountLate(const SchedulerEvent &event);

	//! Does what follows from any event: tasks that can start, the end, the next timer.
	void Advance();
	void AskForSizes();
	void CheckWorkers();
	void ArmTimer();
	void Finish();
	//! Ends the query if there is an error.
	void FailBy(QueryError error);

	const SchedulerConfig config;
	SchedulerActions actions;
	WorkerPool pool;
	StageTable table;
	RunningAttempts attempts;
	Dispatch dispatch;
	Speculation speculation;
	Retries retries;
	Recovery recovery;
	//! Only results that were ignored are counted here.
	SchedulerStats ignored;
	TimeMs time = 0;
	std::optional<TimeMs> no_worker_deadline;
	std::optional<TimeMs> armed_timer;
	bool started = false;
	bool ended = false;
};

} // namespace duckherder
