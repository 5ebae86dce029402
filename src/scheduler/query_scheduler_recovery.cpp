#include "scheduler/query_scheduler.hpp"

#include <algorithm>

//! Failed attempts and lost outputs: what has to run again, and when that is given up.
namespace duckherder {

static TaskError LostWorkerError(const event::WorkerLost &event) {
	TaskError error;
	error.kind = ErrorKind::WORKER_FAILURE;
	error.exception_type = "IO";
	error.message = "Worker " + event.worker + " was lost" + (event.reason.empty() ? "" : ": " + event.reason);
	error.worker_id = event.worker;
	return error;
}

void QueryScheduler::On(const event::WorkerLost &event) {
	auto worker = pool.Find(event.worker);
	if (worker == NO_WORKER || !pool.IsPresent(worker)) {
		return;
	}
	pool.Lose(worker);
	auto error = LostWorkerError(event);
	if (!pool.Running(worker).empty()) {
		last_failure = error;
	}
	auto running = pool.Running(worker);
	for (auto key : running) {
		auto &record = Record(key);
		if (record.speculative) {
			KeepOnly(key, record.speculative->worker != worker);
		} else {
			StopAttempt(key);
		}
		NoteFailedAt(key, worker);
	}
	for (auto key : running) {
		// The place is gone, so there is nothing to wait for
		if (Record(key).state == TaskState::QUEUED && !Retry(key, error, false)) {
			return;
		}
	}
	LoseOutputs(worker, sequence + 1, nullptr);
	RecoverLost(error);
}

void QueryScheduler::On(const event::TaskFailed &event) {
	auto record = FindRunning(event.task, event.attempt, event.worker);
	if (!record) {
		return;
	}
	if (event.error.kind == ErrorKind::USER) {
		CancelOther(event.task, event.attempt);
		StopAttempt(event.task);
		FailTask(event.task, event.error);
		return;
	}
	if (event.error.kind == ErrorKind::BROKEN && event.error.breaks_worker &&
	    ++broken_workers >= config.broken_workers_max) {
		// whatever it is, it would break all others as well
		CancelOther(event.task, event.attempt);
		StopAttempt(event.task);
		FailTask(event.task, event.error);
		return;
	}
	last_failure = event.error;
	auto failed =
	    record->speculative && record->speculative->number == event.attempt ? *record->speculative : record->main;
	auto goes_on = record->speculative.has_value();
	if (goes_on) {
		KeepOnly(event.task, failed.number == record->main.number);
	} else {
		StopAttempt(event.task);
	}
	auto lost_worker = pool.Find(event.error.lost_worker);
	auto lost_input = event.error.kind == ErrorKind::LOST_INPUT && lost_worker != NO_WORKER;
	if (!lost_input) {
		NoteFailedAt(event.task, failed.worker);
	}
	// a worker that is out of service is not asked again at once, so that there is nothing to wait for
	auto forgiven = !goes_on && Forgive(*record, event.error, lost_input);
	auto wait = !forgiven || lost_input || event.error.kind == ErrorKind::OVERLOADED || pool.ActiveCount() == 0;
	if ((!goes_on && !Retry(event.task, event.error, wait)) || !lost_input) {
		return;
	}
	// Outputs made there since this attempt started are not what it missed
	LoseOutputs(lost_worker, failed.start_sequence, &StageOf(event.task).plan.inputs);
	RecoverLost(event.error);
}

void QueryScheduler::On(const event::TaskOutputLost &event) {
	if (!MadeOutput(event.task, event.attempt, event.worker)) {
		return;
	}
	auto &record = Record(event.task);
	if (record.output_available && record.announced && !record.consumed) {
		LoseOutput(event.task);
		RecoverLost(event.error);
	}
}

void QueryScheduler::StopAttempt(TaskKey key) {
	auto &record = Record(key);
	StageOf(key).not_speculated.erase({record.main.started_at, key.task});
	pool.Release(record.main.worker, key);
	record.state = TaskState::QUEUED;
}

void QueryScheduler::CancelAttempts(TaskKey key) {
	auto &record = Record(key);
	CancelOther(key, record.main.number);
	StopAttempt(key);
	actions.emplace_back(action::CancelAttempt {key, record.main.number, pool.Name(record.main.worker)});
}

bool QueryScheduler::Retry(TaskKey key, const TaskError &error, bool back_off) {
	if (!CheckAttempts(key, error)) {
		return false;
	}
	auto &record = Record(key);
	record.backing_off = back_off;
	if (back_off) {
		auto failures = std::max(record.attempts - record.forgiven, 1U);
		back_offs.emplace(time + BackOffMs(failures), BackingOff {key, record.attempts});
	} else {
		Enqueue(key);
	}
	return true;
}

bool QueryScheduler::CheckAttempts(TaskKey key, const TaskError &error) {
	auto attempts = Record(key).attempts - Record(key).speculative_attempts - Record(key).forgiven;
	if (attempts <= config.task_retries) {
		return true;
	}
	auto final_error = error;
	final_error.message = "Task " + std::to_string(key.task) + " of stage " + std::to_string(key.stage) +
	                      " failed after " + std::to_string(attempts) + (attempts == 1 ? " attempt: " : " attempts: ") +
	                      error.message;
	FailTask(key, std::move(final_error));
	return false;
}

bool QueryScheduler::Forgive(TaskRecord &record, const TaskError &error, bool lost_input) {
	auto refused = error.kind == ErrorKind::DRAINING || error.kind == ErrorKind::UNREACHABLE ||
	               error.kind == ErrorKind::OVERLOADED || (error.kind == ErrorKind::BROKEN && !error.breaks_worker);
	if (!refused && !lost_input) {
		return false;
	}
	if (!record.first_forgiven) {
		record.first_forgiven = time;
	}
	if (time - *record.first_forgiven > config.retry_patience_ms) {
		return false;
	}
	record.forgiven++;
	return true;
}

void QueryScheduler::FailTask(TaskKey key, TaskError error) {
	Record(key).state = TaskState::FAILED;
	Fail(std::move(error));
}

void QueryScheduler::NoteFailedAt(TaskKey key, WorkerIndex worker) {
	auto &places = failed_at[key];
	places.erase(std::remove(places.begin(), places.end(), worker), places.end());
	places.push_back(worker);
}

uint64_t QueryScheduler::BackOffMs(uint32_t failures) {
	auto delay = config.backoff_base_ms;
	for (uint32_t i = 1; i < failures && delay < config.backoff_max_ms; i++) {
		delay *= 2;
	}
	delay = std::min(delay, config.backoff_max_ms);
	// splitmix64: small, and the same on every platform
	random_state += 0x9E3779B97F4A7C15ULL;
	auto random = random_state;
	random = (random ^ (random >> 30)) * 0xBF58476D1CE4E5B9ULL;
	random = (random ^ (random >> 27)) * 0x94D049BB133111EBULL;
	random ^= random >> 31;
	return delay - random % (delay / 2 + 1);
}

void QueryScheduler::LoseOutputs(WorkerIndex worker, uint64_t before, const std::vector<StageId> *of) {
	for (auto key : pool.TakeOutputs(worker)) {
		auto &record = Record(key);
		if (!record.output_available || record.main.worker != worker) {
			continue;
		}
		auto concerned = !of || std::binary_search(of->begin(), of->end(), key.stage);
		if (!concerned || record.output_sequence > before) {
			pool.AddOutput(worker, key);
			continue;
		}
		LoseOutput(key);
	}
}

void QueryScheduler::LoseOutput(TaskKey key) {
	SetAvailable(key, false);
	StageOf(key).lost.insert(key.task);
	stats.outputs_lost++;
	auto worker = Record(key).main.worker;
	if (pool.IsPresent(worker)) {
		NoteFailedAt(key, worker);
	}
}

void QueryScheduler::RecoverLost(const TaskError &error) {
	std::vector<StageId> changed;
	for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
		if (stage->lost.empty()) {
			continue;
		}
		auto open_before = stage->open;
		if (!RecoverStage(*stage, error)) {
			return;
		}
		if (stage->open != open_before && !stage->plan.repeatable) {
			changed.push_back(stage->plan.id);
		}
	}
	for (auto stage : changed) {
		if (!ended) {
			InvalidateReaders(stages[stage], error);
		}
	}
}

bool QueryScheduler::RecoverStage(StageRecord &stage, const TaskError &error) {
	for (auto position = stage.lost.begin(); position != stage.lost.end();) {
		auto task = *position;
		if (!IsNeeded(stage, task)) {
			++position;
			continue;
		}
		position = stage.lost.erase(position);
		stage.tasks[task].state = TaskState::QUEUED;
		stage.open++;
		open_tasks++;
		auto key = TaskKey {stage.plan.id, task};
		if (!CheckAttempts(key, error)) {
			return false;
		}
		Enqueue(key);
	}
	return true;
}

bool QueryScheduler::IsAnnounced(const StageRecord &stage) const {
	auto announced = [](const TaskRecord &record) { return record.announced; };
	return std::any_of(stage.tasks.begin(), stage.tasks.end(), announced);
}

void QueryScheduler::InvalidateReaders(const StageRecord &stage, const TaskError &error) {
	// What the session has read must fit what the consumers will read
	auto used = !stage.consumers.empty() && IsAnnounced(stage);
	for (auto id : stage.consumers) {
		used = used || stages[id].open < stages[id].tasks.size() || IsAnnounced(stages[id]);
	}
	if (used) {
		auto final_error = error;
		final_error.message = "Stage " + std::to_string(stage.plan.id) +
		                      " would not make the same rows again, and some have been used: " + error.message;
		Fail(std::move(final_error));
		return;
	}
	for (auto id : stage.consumers) {
		if (!RestartRunning(stages[id], error)) {
			return;
		}
		InvalidateReaders(stages[id], error);
		if (ended) {
			return;
		}
	}
}

bool QueryScheduler::RestartRunning(const StageRecord &stage, const TaskError &error) {
	for (TaskId task = 0; task < stage.tasks.size(); task++) {
		auto key = TaskKey {stage.plan.id, task};
		if (stage.tasks[task].state != TaskState::RUNNING) {
			continue;
		}
		CancelAttempts(key);
		if (!Retry(key, error, false)) {
			return false;
		}
	}
	return true;
}

bool QueryScheduler::HasWaitingConsumer(const StageRecord &stage) const {
	auto waits = [this](StageId consumer) { return stages[consumer].Unfinished(); };
	return std::any_of(stage.consumers.begin(), stage.consumers.end(), waits);
}

bool QueryScheduler::IsNeeded(const StageRecord &stage, TaskId task) const {
	auto for_session = stage.plan.output_kind == ExchangeKind::RESULT && !stage.tasks[task].consumed;
	return for_session || HasWaitingConsumer(stage);
}

void QueryScheduler::DropSuperfluousReruns(const StageRecord &stage) {
	for (auto id : stage.plan.inputs) {
		auto &input = stages[id];
		if (input.open == 0 || HasWaitingConsumer(input)) {
			continue;
		}
		for (TaskId task = 0; task < input.tasks.size(); task++) {
			auto open = input.tasks[task].state == TaskState::QUEUED || input.tasks[task].state == TaskState::RUNNING;
			if (open && !IsNeeded(input, task)) {
				AbandonRerun(TaskKey {id, task});
			}
		}
	}
}

void QueryScheduler::AbandonRerun(TaskKey key) {
	auto &stage = StageOf(key);
	auto &record = Record(key);
	if (record.state == TaskState::RUNNING) {
		CancelAttempts(key);
	} else if (!record.backing_off) {
		stage.queue.Remove(key.task);
	}
	record.backing_off = false;
	record.state = TaskState::DONE;
	stage.lost.insert(key.task);
	stage.open--;
	open_tasks--;
	if (stage.open == 0) {
		DropSuperfluousReruns(stage);
	}
}

} // namespace duckherder
