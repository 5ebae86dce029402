#include "scheduler/worker_pool.hpp"

namespace duckherder {

WorkerIndex WorkerPool::Intern(const WorkerId &id) {
	auto [position, added] = numbers.emplace(id, static_cast<WorkerIndex>(workers.size()));
	if (added) {
		workers.emplace_back();
		workers.back().id = id;
	}
	return position->second;
}

WorkerIndex WorkerPool::Find(const WorkerId &id) const {
	auto position = numbers.find(id);
	return position == numbers.end() ? NO_WORKER : position->second;
}

const WorkerId &WorkerPool::Name(WorkerIndex worker) const {
	return workers[worker].id;
}

void WorkerPool::Join(WorkerIndex worker, uint32_t slots) {
	Unlist(worker);
	workers[worker].state = State::ACTIVE;
	workers[worker].slots = slots;
	List(worker);
}

void WorkerPool::Drain(WorkerIndex worker) {
	Unlist(worker);
	workers[worker].state = State::DRAINING;
	List(worker);
}

void WorkerPool::Lose(WorkerIndex worker) {
	Unlist(worker);
	workers[worker].state = State::LOST;
	List(worker);
}

bool WorkerPool::IsPresent(WorkerIndex worker) const {
	auto state = workers[worker].state;
	return state == State::ACTIVE || state == State::DRAINING;
}

bool WorkerPool::IsActive(WorkerIndex worker) const {
	return workers[worker].state == State::ACTIVE && workers[worker].slots > 0;
}

uint32_t WorkerPool::ActiveCount() const {
	return active_count;
}

void WorkerPool::Occupy(WorkerIndex worker, TaskKey task) {
	Unlist(worker);
	workers[worker].running.insert(task);
	workers[worker].last_given = ++given;
	running_count++;
	List(worker);
}

void WorkerPool::Release(WorkerIndex worker, TaskKey task) {
	Unlist(worker);
	running_count -= static_cast<uint32_t>(workers[worker].running.erase(task));
	List(worker);
}

const std::set<TaskKey> &WorkerPool::Running(WorkerIndex worker) const {
	return workers[worker].running;
}

uint32_t WorkerPool::RunningCount() const {
	return running_count;
}

const std::set<WorkerPool::FreeWorker> &WorkerPool::FreeWorkers() const {
	return free_workers;
}

void WorkerPool::AddOutput(WorkerIndex worker, TaskKey task) {
	workers[worker].outputs.push_back(task);
}

std::vector<TaskKey> WorkerPool::TakeOutputs(WorkerIndex worker) {
	std::vector<TaskKey> result;
	result.swap(workers[worker].outputs);
	return result;
}

size_t WorkerPool::Size() const {
	return workers.size();
}

bool WorkerPool::HasFreeSlot(const Worker &worker) const {
	return worker.state == State::ACTIVE && worker.running.size() < worker.slots;
}

WorkerPool::FreeWorker WorkerPool::Place(WorkerIndex index) const {
	auto &worker = workers[index];
	auto running = static_cast<uint32_t>(worker.running.size());
	auto load = running * 1000000ULL / worker.slots;
	return FreeWorker {load, std::numeric_limits<uint32_t>::max() - (worker.slots - running), worker.last_given, index};
}

void WorkerPool::Unlist(WorkerIndex worker) {
	if (HasFreeSlot(workers[worker])) {
		free_workers.erase(Place(worker));
	}
	active_count -= IsActive(worker) ? 1 : 0;
}

void WorkerPool::List(WorkerIndex worker) {
	if (HasFreeSlot(workers[worker])) {
		free_workers.insert(Place(worker));
	}
	active_count += IsActive(worker) ? 1 : 0;
}

} // namespace duckherder
