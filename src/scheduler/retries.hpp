#pragma once

#include "scheduler/dispatch.hpp"

#include <map>
#include <optional>

namespace duckherder {

//! The error by which the query fails, or nothing if it goes on.
using QueryError = std::optional<TaskError>;

//! Says whether and when a task may run again. It counts the attempts of each task, forgives failures that say nothing
//! against it, and lets a task that failed wait for a while, longer each time.
class Retries {
public:
	//! All arguments must outlive this.
	Retries(const SchedulerConfig &config, StageTable &table, Dispatch &dispatch);

	//! Enqueues a QUEUED task at once, unless its last attempt was the last one allowed: then `error` becomes that of
	//! the query, and the task FAILED.
	QueryError RunAgain(TaskKey key, const TaskError &error);
	//! The same, but the task waits first.
	QueryError RunAgainLater(TaskKey key, const TaskError &error, TimeMs now);
	//! Counts a failure that says nothing against the task. Returns false if it is none, or if there have been such
	//! failures for too long.
	bool Forgive(TaskKey key, const TaskError &error, bool lost_input, TimeMs now);

	//! Enqueues the tasks that have waited long enough.
	void EndBackOffs(TimeMs now);
	//! Returns when the next task has waited long enough, if any waits.
	std::optional<TimeMs> NextDue() const {
		return back_offs.empty() ? std::nullopt : std::optional(back_offs.begin()->first);
	}

private:
	struct BackingOff {
		TaskKey task;
		uint32_t attempts;
	};

	QueryError CheckAttempts(TaskKey key, const TaskError &error);
	uint64_t BackOffMs(uint32_t failures);

	const SchedulerConfig &config;
	StageTable &table;
	Dispatch &dispatch;
	std::multimap<TimeMs, BackingOff> back_offs;
	uint64_t random_state;
};

} // namespace duckherder
