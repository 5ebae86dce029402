#include "scheduler/dispatch.hpp"

#include <algorithm>

namespace duckherder {

Dispatch::Dispatch(StageTable &table, WorkerPool &pool, RunningAttempts &attempts, AffinityMap &affinity)
    : table(table), pool(pool), attempts(attempts), affinity(affinity), queues(table.Stages().size()) {
}

void Dispatch::Enqueue(TaskKey key) {
	auto &queue = queues[key.stage];
	auto failed = failed_at.find(key);
	if (failed != failed_at.end()) {
		queue.PushFailed(key.task, failed->second);
		return;
	}
	auto preferred = NO_WORKER;
	if (auto *affinity_key = AffinityKey(key)) {
		auto worker = affinity.Find(*affinity_key);
		preferred = worker ? pool.Intern(*worker) : NO_WORKER;
	}
	queue.Push(key.task, preferred);
}

void Dispatch::EnqueueAll(const StageRecord &stage) {
	for (TaskId task = 0; task < stage.tasks.size(); task++) {
		Enqueue(TaskKey {stage.plan.id, task});
	}
}

void Dispatch::StartTasks(TimeMs now) {
	std::vector<StageId> ready;
	for (auto &stage : table.Stages()) {
		if (stage.CanStart() && HasWaiting(stage.plan.id)) {
			ready.push_back(stage.plan.id);
		}
	}
	while (!ready.empty() && StartOneTask(ready, now)) {
		auto drained = [this](StageId stage) { return !HasWaiting(stage); };
		ready.erase(std::remove_if(ready.begin(), ready.end(), drained), ready.end());
	}
}

bool Dispatch::StartOneTask(const std::vector<StageId> &ready, TimeMs now) {
	for (auto &free_worker : pool.FreeWorkers()) {
		for (auto stage : ready) {
			auto task = queues[stage].Take(free_worker.worker, pool);
			if (task) {
				// Changes FreeWorkers: the loop ends here
				attempts.Start(TaskKey {stage, *task}, free_worker.worker, now);
				return true;
			}
		}
	}
	return false;
}

void Dispatch::NoteFailedAt(TaskKey key, WorkerIndex worker) {
	auto &workers = failed_at[key];
	workers.erase(std::remove(workers.begin(), workers.end(), worker), workers.end());
	workers.push_back(worker);
}

bool Dispatch::HasFailedAt(TaskKey key, WorkerIndex worker) const {
	auto failed = failed_at.find(key);
	return failed != failed_at.end() &&
	       std::find(failed->second.begin(), failed->second.end(), worker) != failed->second.end();
}

void Dispatch::NoteSucceededAt(TaskKey key, const WorkerId &worker) {
	if (auto *affinity_key = AffinityKey(key)) {
		affinity.Put(*affinity_key, worker);
	}
}

const std::string *Dispatch::AffinityKey(TaskKey key) const {
	auto &keys = table.Stage(key.stage).plan.affinity_keys;
	return keys.empty() || keys[key.task].empty() ? nullptr : &keys[key.task];
}

} // namespace duckherder
