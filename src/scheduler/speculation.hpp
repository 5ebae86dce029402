#pragma once

#include "scheduler/dispatch.hpp"

#include <optional>

namespace duckherder {

//! Second attempts of tasks that are slow for no reason that the scheduler knows. They only use slots for which no task
//! waits. A task has one of them in its whole life, at a worker where it does not run and has not failed.
class Speculation {
public:
	//! All arguments must outlive this.
	Speculation(const SchedulerConfig &config, StageTable &table, const WorkerPool &pool, const Dispatch &dispatch,
	            RunningAttempts &attempts);

	//! Starts the second attempts that are due.
	void StartDue(TimeMs now);
	//! Returns when the next running task becomes slow, as far as a slot is free. StartDue has found this out.
	std::optional<TimeMs> NextDue() const {
		return next_due;
	}

private:
	//! Returns when a task of the stage that started now would be slow, or nothing while too few are done to tell.
	std::optional<uint64_t> SlowAfterMs(const StageRecord &stage) const;
	//! Starts a second attempt if there is a worker for it.
	void StartElsewhere(TaskKey key, TimeMs now);

	const SchedulerConfig &config;
	StageTable &table;
	const WorkerPool &pool;
	const Dispatch &dispatch;
	RunningAttempts &attempts;
	std::optional<TimeMs> next_due;
};

} // namespace duckherder
