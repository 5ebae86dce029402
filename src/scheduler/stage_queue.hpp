#pragma once

#include "common/ids.hpp"
#include "scheduler/worker_pool.hpp"

#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

namespace duckherder {

//! The tasks of one stage that wait for a slot. A worker that asks gets, each time, the first in task order of these:
//! 1. a task that failed before and may run there (it has been waited for longest),
//! 2. a task that prefers this worker,
//! 3. a task without preference,
//! 4. a task that prefers another worker: stealing, rather than leaving a slot idle.
//! A call takes O(log n), plus the number of different lists of failed workers among waiting tasks.
class StageQueue {
public:
	void Push(TaskId task, WorkerIndex preferred);
	//! `failed_at` lists the workers where the task failed, in the order of the (last) failures. It is not empty.
	void PushFailed(TaskId task, const std::vector<WorkerIndex> &failed_at);
	void Remove(TaskId task);
	bool Empty() const;
	//! Removes and returns the next task for this worker, if there is one that may run there.
	std::optional<TaskId> Take(WorkerIndex worker, const WorkerPool &pool);

private:
	//! A task may not run where it failed, unless it failed at every active worker. Then it may run where that is
	//! longest ago, so that it comes round to all of them even if a broken worker is always the first to be free.
	static bool MayRun(const std::vector<WorkerIndex> &failed_at, WorkerIndex worker, const WorkerPool &pool);
	std::optional<TaskId> TakeFailed(WorkerIndex worker, const WorkerPool &pool);
	std::optional<TaskId> TakePreferring(TaskId task);

	std::set<TaskId> indifferent;
	//! These are the tasks with a preference: all of them, those of each worker, and whom each prefers.
	std::set<TaskId> preferring;
	std::unordered_map<WorkerIndex, std::set<TaskId>> by_worker;
	std::unordered_map<TaskId, WorkerIndex> preference;
	std::map<std::vector<WorkerIndex>, std::set<TaskId>> failed;
};

} // namespace duckherder
