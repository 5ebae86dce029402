#pragma once

#include "scheduler/retries.hpp"

namespace duckherder {

//! Failed attempts and lost outputs: what has to run again, and when that is given up. What is lost runs again only
//! while somebody needs it. Nothing builds on two versions of what a stage that is not repeatable has made.
class Recovery {
public:
	//! All arguments must outlive this.
	Recovery(const SchedulerConfig &config, StageTable &table, WorkerPool &pool, RunningAttempts &attempts,
	         Dispatch &dispatch, Retries &retries);

	//! These take the events of the same names. Each returns the error by which the query fails, if it does; then the
	//! caller has to end it, and nothing here goes on.
	QueryError WorkerLost(const event::WorkerLost &event);
	//! The attempt must be running.
	QueryError TaskFailed(const event::TaskFailed &event, TimeMs now);
	QueryError TaskOutputLost(const event::TaskOutputLost &event);

	//! The stage has no open tasks, so producers that were about to run again for it need not.
	void DropSuperfluousReruns(const StageRecord &stage);
	//! The session has read the task's output: if it was about to run again for that, it need not.
	void DropIfSuperfluous(TaskKey key);

	//! Returns the reason why the last task had to run again.
	const QueryError &LastFailure() const {
		return last_failure;
	}
	uint64_t OutputsLost() const {
		return outputs_lost;
	}

private:
	bool IsFatal(const TaskError &error);
	//! The output is gone, wherever it was.
	void LoseOutput(TaskKey key);
	//! The outputs at `worker` that were made until `until`, of the stages in `of` (of all stages if it is null), are
	//! gone.
	void LoseOutputs(WorkerIndex worker, uint64_t until, const std::vector<StageId> *of);
	//! Runs again what was lost and is needed, consumers before producers.
	QueryError RecoverLost(const TaskError &error);
	QueryError RecoverStage(const StageRecord &stage, const TaskError &error);
	//! Is called when a stage that is not repeatable runs again: nothing may build on its former version.
	QueryError InvalidateReaders(const StageRecord &stage, const TaskError &error);
	//! Says whether anything was made of the stage's output that stays.
	bool IsUsed(const StageRecord &stage) const;
	QueryError RestartRunning(const StageRecord &stage, const TaskError &error);
	void AbandonRerun(TaskKey key);

	const SchedulerConfig &config;
	StageTable &table;
	WorkerPool &pool;
	RunningAttempts &attempts;
	Dispatch &dispatch;
	Retries &retries;
	QueryError last_failure;
	//! Tasks of this query have broken this many workers.
	uint32_t broken_workers = 0;
	uint64_t outputs_lost = 0;
};

} // namespace duckherder
