#pragma once

#include "scheduler/affinity_map.hpp"
#include "scheduler/scheduler_types.hpp"

#include <vector>

namespace duckherder {

//! Decides what runs where for one query. A pure state machine: no threads, sockets or clocks; the same events at the
//! same times with the same seed give the same actions. Not thread-safe.
//!
//! Contract: every query ends with exactly one QueryFinished or QueryFailed, after which Handle returns nothing; at most
//! one attempt per task runs as far as the scheduler knows, at most `slots` per worker; of every task exactly one attempt
//! counts at a time; a task starts only while every output it reads is at a worker not known to be lost; no slot stays
//! free while a task that may run there waits.
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
	//! Outputs of a stage in task order: only those readable, hence all of them when a consumer is started
	std::vector<TaskOutput> StageOutputs(StageId stage) const;
	//! Changes whenever StageOutputs(stage) may have changed, so that a caller can keep what it made of them
	uint64_t StageOutputsVersion(StageId stage) const;
	uint32_t TaskCount(StageId stage) const;
	uint32_t StageCount() const;
	SchedulerStats Stats() const;
	//! Done tasks / all tasks; may fall when outputs are lost
	double Progress() const;
};

} // namespace duckherder
