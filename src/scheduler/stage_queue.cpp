#include "scheduler/stage_queue.hpp"

#include <algorithm>

namespace duckherder {

void StageQueue::Push(TaskId task, WorkerIndex preferred) {
	if (preferred == NO_WORKER) {
		indifferent.insert(indifferent.end(), task);
		return;
	}
	preferring.insert(preferring.end(), task);
	by_worker[preferred].insert(task);
	preference[task] = preferred;
}

void StageQueue::PushFailed(TaskId task, const std::vector<WorkerIndex> &failed_at) {
	failed[failed_at].insert(task);
}

void StageQueue::Remove(TaskId task) {
	if (indifferent.erase(task) > 0) {
		return;
	}
	if (preferring.count(task) > 0) {
		TakePreferring(task);
		return;
	}
	for (auto group = failed.begin(); group != failed.end(); ++group) {
		if (group->second.erase(task) > 0) {
			if (group->second.empty()) {
				failed.erase(group);
			}
			return;
		}
	}
}

bool StageQueue::Empty() const {
	return indifferent.empty() && preferring.empty() && failed.empty();
}

std::optional<TaskId> StageQueue::Take(WorkerIndex worker, const WorkerPool &pool) {
	auto task = TakeFailed(worker, pool);
	if (task) {
		return task;
	}
	auto own = by_worker.find(worker);
	if (own != by_worker.end()) {
		return TakePreferring(*own->second.begin());
	}
	if (!indifferent.empty()) {
		return indifferent.extract(indifferent.begin()).value();
	}
	if (!preferring.empty()) {
		return TakePreferring(*preferring.begin());
	}
	return std::nullopt;
}

bool StageQueue::MayRun(const std::vector<WorkerIndex> &failed_at, WorkerIndex worker, const WorkerPool &pool) {
	if (std::find(failed_at.begin(), failed_at.end(), worker) == failed_at.end()) {
		return true;
	}
	auto active = [&](WorkerIndex place) { return pool.IsActive(place); };
	auto failed_active = std::count_if(failed_at.begin(), failed_at.end(), active);
	auto failed_everywhere = static_cast<uint32_t>(failed_active) == pool.ActiveCount();
	return failed_everywhere && *std::find_if(failed_at.begin(), failed_at.end(), active) == worker;
}

std::optional<TaskId> StageQueue::TakeFailed(WorkerIndex worker, const WorkerPool &pool) {
	auto best = failed.end();
	for (auto group = failed.begin(); group != failed.end(); ++group) {
		auto earlier = best == failed.end() || *group->second.begin() < *best->second.begin();
		if (earlier && MayRun(group->first, worker, pool)) {
			best = group;
		}
	}
	if (best == failed.end()) {
		return std::nullopt;
	}
	auto task = best->second.extract(best->second.begin()).value();
	if (best->second.empty()) {
		failed.erase(best);
	}
	return task;
}

std::optional<TaskId> StageQueue::TakePreferring(TaskId task) {
	auto position = preference.find(task);
	auto bucket = by_worker.find(position->second);
	bucket->second.erase(task);
	if (bucket->second.empty()) {
		by_worker.erase(bucket);
	}
	preference.erase(position);
	preferring.erase(task);
	return task;
}

} // namespace duckherder
