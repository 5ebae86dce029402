#pragma once

#include "scheduler/affinity_map.hpp"
#include "scheduler/running_attempts.hpp"
#include "scheduler/stage_queue.hpp"

#include <map>
#include <string>
#include <vector>

namespace duckherder {

//! The tasks that wait for a worker, and which worker gets which of them. A free worker, the one with the smallest load
//! first, takes a task of the first stage that can start (see StageQueue for which one), so that no slot stays free
//! while a task waits that may run there. A task avoids the workers where it has failed.
class Dispatch {
public:
	//! All arguments must outlive this.
	Dispatch(StageTable &table, WorkerPool &pool, RunningAttempts &attempts, AffinityMap &affinity);

	//! A QUEUED task waits from now on, or does not wait any more.
	void Enqueue(TaskKey key);
	void EnqueueAll(const StageRecord &stage);
	void Remove(TaskKey key) {
		queues[key.stage].Remove(key.task);
	}
	bool HasWaiting(StageId stage) const {
		return !queues[stage].Empty();
	}
	//! Starts all tasks that can start.
	void StartTasks(TimeMs now);

	void NoteFailedAt(TaskKey key, WorkerIndex worker);
	bool HasFailedAt(TaskKey key, WorkerIndex worker) const;
	//! The worker has read what is behind the task's affinity key.
	void NoteSucceededAt(TaskKey key, const WorkerId &worker);

private:
	bool StartOneTask(const std::vector<StageId> &ready, TimeMs now);
	//! Returns null if the task prefers no worker.
	const std::string *AffinityKey(TaskKey key) const;

	StageTable &table;
	WorkerPool &pool;
	RunningAttempts &attempts;
	AffinityMap &affinity;
	std::vector<StageQueue> queues;
	//! The tasks that have failed, failed at these workers, in the order of the last failure.
	std::map<TaskKey, std::vector<WorkerIndex>> failed_at;
};

} // namespace duckherder
