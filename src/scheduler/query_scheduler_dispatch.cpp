#include "scheduler/query_scheduler.hpp"

#include <algorithm>

//! What follows from any event: tasks that can start, the end, the next timer.
namespace duckherder {

void QueryScheduler::Advance() {
	if (open_tasks == 0 && unsized_stages == 0 && unconsumed_outputs == 0) {
		Finish();
		return;
	}
	EndBackOffs();
	AskForSizes();
	Dispatch();
	CopyStragglers();
	CheckWorkers();
	if (!ended) {
		ArmTimer();
	}
}

void QueryScheduler::EndBackOffs() {
	while (!back_offs.empty() && back_offs.begin()->first <= time) {
		auto due = back_offs.extract(back_offs.begin()).mapped();
		auto &record = Record(due.task);
		// The task may have been abandoned in the meantime
		if (record.backing_off && record.attempts == due.attempts) {
			record.backing_off = false;
			Enqueue(due.task);
		}
	}
}

void QueryScheduler::AskForSizes() {
	if (unsized_stages == 0) {
		return;
	}
	for (auto &stage : stages) {
		if (!stage.sized && !stage.asked_for_size && stage.missing_inputs == 0 && stage.missing_before == 0) {
			stage.asked_for_size = true;
			actions.emplace_back(action::ResolveTaskCount {stage.plan.id});
		}
	}
}

void QueryScheduler::Enqueue(TaskKey key) {
	auto &stage = StageOf(key);
	auto failed = failed_at.find(key);
	if (failed != failed_at.end()) {
		stage.queue.PushFailed(key.task, failed->second);
		return;
	}
	auto preferred = NO_WORKER;
	auto &keys = stage.plan.affinity_keys;
	if (!keys.empty() && !keys[key.task].empty()) {
		auto worker = affinity.Find(keys[key.task]);
		preferred = worker ? pool.Intern(*worker) : NO_WORKER;
	}
	stage.queue.Push(key.task, preferred);
}

void QueryScheduler::Dispatch() {
	std::vector<StageId> ready;
	for (auto &stage : stages) {
		if (stage.missing_inputs == 0 && stage.missing_before == 0 && !stage.queue.Empty()) {
			ready.push_back(stage.plan.id);
		}
	}
	while (!ready.empty() && StartOneTask(ready)) {
		auto drained = [this](StageId stage) { return stages[stage].queue.Empty(); };
		ready.erase(std::remove_if(ready.begin(), ready.end(), drained), ready.end());
	}
}

bool QueryScheduler::StartOneTask(const std::vector<StageId> &ready) {
	for (auto &free_worker : pool.FreeWorkers()) {
		for (auto stage : ready) {
			auto task = stages[stage].queue.Take(free_worker.worker, pool);
			if (task) {
				// Changes FreeWorkers: the loop ends here
				StartAttempt(TaskKey {stage, *task}, free_worker.worker);
				return true;
			}
		}
	}
	return false;
}

void QueryScheduler::StartAttempt(TaskKey key, WorkerIndex worker) {
	auto &record = Record(key);
	record.state = TaskState::RUNNING;
	stats.attempts_started++;
	stats.retries += record.attempts > 0 ? 1 : 0;
	record.main = AttemptRecord {record.attempts++, worker, time, ++sequence};
	if (MaySpeculate(StageOf(key), record)) {
		StageOf(key).not_speculated.emplace(time, key.task);
	}
	pool.Occupy(worker, key);
	actions.emplace_back(action::StartTask {key, record.main.number, pool.Name(worker)});
}

void QueryScheduler::SetAvailable(TaskKey key, bool available) {
	auto &stage = StageOf(key);
	auto &record = Record(key);
	if (record.output_available == available) {
		return;
	}
	auto was_complete = stage.Complete();
	record.output_available = available;
	stage.available += available ? 1 : -1;
	stage.outputs_version++;
	auto is_complete = stage.Complete();
	if (was_complete != is_complete) {
		for (auto consumer : stage.consumers) {
			stages[consumer].missing_inputs += is_complete ? -1 : 1;
		}
	}
}

void QueryScheduler::CountFirstSuccess(TaskKey key) {
	auto &record = Record(key);
	if (record.succeeded) {
		return;
	}
	record.succeeded = true;
	auto &stage = StageOf(key);
	if (++stage.succeeded < stage.tasks.size()) {
		return;
	}
	for (auto follower : stage.followers) {
		stages[follower].missing_before--;
	}
}

void QueryScheduler::CheckWorkers() {
	auto stranded = pool.ActiveCount() == 0 && open_tasks > pool.RunningCount() - running_speculative;
	if (!stranded) {
		no_worker_deadline.reset();
		return;
	}
	if (!no_worker_deadline) {
		no_worker_deadline = time + config.no_worker_timeout_ms;
	}
	if (time < *no_worker_deadline) {
		return;
	}
	TaskError error;
	error.exception_type = "Connection";
	error = last_failure.value_or(error);
	auto reason = error.message.empty() ? "" : "; the last failure: " + error.message;
	error.kind = ErrorKind::WORKER_FAILURE;
	error.message = "No worker takes tasks: " + std::to_string(open_tasks) + " of " +
	                std::to_string(stats.total_tasks) + " tasks are not done, and none came within " +
	                std::to_string(config.no_worker_timeout_ms) + " ms" + reason;
	Fail(std::move(error));
}

void QueryScheduler::ArmTimer() {
	auto next = no_worker_deadline;
	if (straggler_due) {
		next = next ? std::min(*next, *straggler_due) : straggler_due;
	}
	if (!back_offs.empty()) {
		auto due = back_offs.begin()->first;
		next = next ? std::min(*next, due) : due;
	}
	if (next && next != armed_timer) {
		armed_timer = next;
		actions.emplace_back(action::SetTimer {*next});
	}
}

void QueryScheduler::StopRunning() {
	for (auto &stage : stages) {
		for (TaskId task = 0; task < stage.tasks.size(); task++) {
			auto &record = stage.tasks[task];
			auto key = TaskKey {stage.plan.id, task};
			if (record.state == TaskState::RUNNING) {
				CancelAttempts(key);
			}
			if (record.state == TaskState::QUEUED) {
				record.state = TaskState::CANCELLED;
			}
		}
	}
}

void QueryScheduler::Finish() {
	StopRunning();
	ended = true;
	actions.emplace_back(action::QueryFinished {});
}

void QueryScheduler::Fail(TaskError error) {
	StopRunning();
	ended = true;
	actions.emplace_back(action::QueryFailed {std::move(error)});
}

} // namespace duckherder
