#include "worker/task_table.hpp"

#include "common/limits.hpp"

#include "duckdb/main/client_context.hpp"

#include <algorithm>
#include <vector>

namespace duckherder {

using namespace duckdb;

RunningTask::RunningTask(QueryId query_p, TaskKey key_p, Attempt attempt_p)
    : query(std::move(query_p)), key(key_p), attempt(attempt_p) {
}

void RunningTask::Attach(shared_ptr<ClientContext> context_p, shared_ptr<TaskInputs> inputs_p) {
	std::lock_guard<std::mutex> guard(lock);
	if (cancelled || !memory_error.empty()) {
		throw InterruptException();
	}
	context = std::move(context_p);
	inputs = std::move(inputs_p);
}

void RunningTask::Detach() {
	std::lock_guard<std::mutex> guard(lock);
	context.reset();
	inputs.reset();
}

void RunningTask::Cancel() {
	// under the lock, so that a connection is never interrupted after Detach, when it may run something else
	std::lock_guard<std::mutex> guard(lock);
	cancelled = true;
	if (context) {
		context->Interrupt();
	}
	if (inputs) {
		inputs->Cancel();
	}
}

bool RunningTask::FailForMemory(const std::string &message) {
	std::lock_guard<std::mutex> guard(lock);
	if (cancelled || !memory_error.empty() || !context) {
		return false;
	}
	memory_error = message;
	context->Interrupt();
	if (inputs) {
		inputs->Cancel();
	}
	return true;
}

std::string RunningTask::MemoryError() const {
	std::lock_guard<std::mutex> guard(lock);
	return memory_error;
}

bool RunningTask::Cancelled() const {
	std::lock_guard<std::mutex> guard(lock);
	return cancelled;
}

std::shared_ptr<RunningTask> TaskTable::Begin(const QueryId &query, TaskKey key, Attempt attempt) {
	std::lock_guard<std::mutex> guard(lock);
	if (closed || released.count(query)) {
		return nullptr;
	}
	auto task = std::make_shared<RunningTask>(query, key, attempt);
	running.push_back(task);
	return task;
}

void TaskTable::End(const std::shared_ptr<RunningTask> &task) {
	std::lock_guard<std::mutex> guard(lock);
	running.erase(std::remove(running.begin(), running.end(), task), running.end());
	if (running.empty()) {
		idle.notify_all();
	}
}

void TaskTable::CancelQuery(const QueryId &query) {
	std::vector<std::shared_ptr<RunningTask>> tasks;
	{
		std::lock_guard<std::mutex> guard(lock);
		if (released.insert(query).second) {
			released_order.push_back(query);
		}
		if (released_order.size() > limits::RELEASED_QUERIES_MAX) {
			released.erase(released_order.front());
			released_order.pop_front();
		}
		for (auto &task : running) {
			if (task->query == query) {
				tasks.push_back(task);
			}
		}
	}
	for (auto &task : tasks) {
		task->Cancel();
	}
}

void TaskTable::CancelAttempt(const QueryId &query, TaskKey key, Attempt attempt) {
	std::shared_ptr<RunningTask> found;
	{
		std::lock_guard<std::mutex> guard(lock);
		for (auto &task : running) {
			if (task->query == query && task->key == key && task->attempt == attempt) {
				found = task;
			}
		}
	}
	if (found) {
		found->Cancel();
	}
}

void TaskTable::Close() {
	std::vector<std::shared_ptr<RunningTask>> tasks;
	{
		std::lock_guard<std::mutex> guard(lock);
		closed = true;
		tasks.assign(running.begin(), running.end());
	}
	for (auto &task : tasks) {
		task->Cancel();
	}
}

bool TaskTable::FailOneForMemory(const std::string &message) {
	std::vector<std::shared_ptr<RunningTask>> tasks;
	{
		std::lock_guard<std::mutex> guard(lock);
		tasks = running;
	}
	return std::any_of(tasks.begin(), tasks.end(), [&](auto &task) { return task->FailForMemory(message); });
}

bool TaskTable::WaitUntilIdle(std::chrono::milliseconds time) {
	std::unique_lock<std::mutex> guard(lock);
	return idle.wait_for(guard, time, [&] { return running.empty(); });
}

uint32_t TaskTable::Count() {
	std::lock_guard<std::mutex> guard(lock);
	return static_cast<uint32_t>(running.size());
}

} // namespace duckherder
