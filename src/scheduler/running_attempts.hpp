#pragma once

#include "scheduler/stage_table.hpp"

namespace duckherder {

//! The attempts that run: it gives and frees their slots, and says which have to be started and cancelled. A task has
//! one of them, the main one, or a speculative one beside it at another worker.
class RunningAttempts {
public:
	//! All arguments must outlive this. The actions are appended to `actions`.
	RunningAttempts(StageTable &table, WorkerPool &pool, SchedulerActions &actions);

	//! Says whether a result of this attempt would count. Any key may be asked for, as in MadeOutput.
	bool IsRunning(TaskKey key, Attempt attempt, const WorkerId &worker) const;
	//! Says whether this attempt is the one whose output counts.
	bool MadeOutput(TaskKey key, Attempt attempt, const WorkerId &worker) const;

	//! A QUEUED task starts at a worker with a free slot.
	void Start(TaskKey key, WorkerIndex worker, TimeMs now);
	//! A task that runs starts at a second worker as well.
	void StartSpeculative(TaskKey key, WorkerIndex worker, TimeMs now);
	//! A running attempt has succeeded. Another one of its task is cancelled.
	void Succeed(TaskKey key, Attempt attempt, TimeMs now);
	//! The attempt at this worker has ended without success. Returns true if the task's other attempt goes on, and
	//! false if the task is QUEUED now.
	bool End(TaskKey key, WorkerIndex worker);
	//! The same for a task that is not to go on: another attempt is cancelled.
	void EndAll(TaskKey key, Attempt attempt);
	//! Cancels all attempts of a running task, which is QUEUED afterwards.
	void Cancel(TaskKey key);
	//! Cancels everything, because the query ends.
	void CancelQuery();

	//! Returns the number of tasks that run at one worker or two.
	uint32_t RunningTasks() const {
		return pool.RunningCount() - running_speculative;
	}
	//! Fills in what is known here about attempts.
	void Report(SchedulerStats &stats) const;

private:
	AttemptRecord Begin(TaskKey key, WorkerIndex worker, TimeMs now, bool speculative);
	void Stop(TaskKey key);
	//! One of two attempts goes on alone as the main one. The other one has ended, as far as this knows.
	void Keep(TaskKey key, bool speculative);
	//! Cancels the other one of two attempts; does nothing if there is only one.
	void CancelOther(TaskKey key, Attempt kept);

	StageTable &table;
	WorkerPool &pool;
	SchedulerActions &actions;
	uint64_t sequence = 0;
	uint32_t running_speculative = 0;
	uint64_t started = 0;
	uint64_t retries = 0;
	uint64_t speculative_started = 0;
	uint64_t speculative_won = 0;
};

} // namespace duckherder
