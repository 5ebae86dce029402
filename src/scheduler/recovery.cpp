#include "scheduler/recovery.hpp"

#include <algorithm>
#include <limits>

namespace duckherder {

static TaskError LostWorkerError(const event::WorkerLost &event) {
	TaskError error;
	error.kind = ErrorKind::WORKER_FAILURE;
	error.exception_type = "IO";
	error.message = "Worker " + event.worker + " was lost" + (event.reason.empty() ? "" : ": " + event.reason);
	error.worker_id = event.worker;
	return error;
}

Recovery::Recovery(const SchedulerConfig &config, StageTable &table, WorkerPool &pool, RunningAttempts &attempts,
                   Dispatch &dispatch, Retries &retries)
    : config(config), table(table), pool(pool), attempts(attempts), dispatch(dispatch), retries(retries) {
}

QueryError Recovery::WorkerLost(const event::WorkerLost &event) {
	auto worker = pool.Find(event.worker);
	if (worker == NO_WORKER || !pool.IsPresent(worker)) {
		return std::nullopt;
	}
	pool.Lose(worker);
	auto error = LostWorkerError(event);
	if (!pool.Running(worker).empty()) {
		last_failure = error;
	}
	auto running = pool.Running(worker);
	for (auto key : running) {
		attempts.End(key, worker);
		dispatch.NoteFailedAt(key, worker);
	}
	for (auto key : running) {
		if (table.Task(key).state != TaskState::QUEUED) {
			continue;
		}
		// The worker is gone, so there is nothing to wait for
		if (auto failed = retries.RunAgain(key, error)) {
			return failed;
		}
	}
	LoseOutputs(worker, std::numeric_limits<uint64_t>::max(), nullptr);
	return RecoverLost(error);
}

bool Recovery::IsFatal(const TaskError &error) {
	if (error.kind == ErrorKind::BROKEN && error.breaks_worker) {
		// With too many of them it would, whatever it is, break all others as well
		return ++broken_workers >= config.broken_workers_max;
	}
	return error.kind == ErrorKind::USER;
}

QueryError Recovery::TaskFailed(const event::TaskFailed &event, TimeMs now) {
	auto key = event.task;
	auto &error = event.error;
	auto &record = table.Task(key);
	if (IsFatal(error)) {
		attempts.EndAll(key, event.attempt);
		record.state = TaskState::FAILED;
		return error;
	}
	last_failure = error;
	auto failed = record.main.number == event.attempt ? record.main : *record.speculative;
	auto goes_on = attempts.End(key, failed.worker);
	auto lost_worker = pool.Find(error.lost_worker);
	auto lost_input = error.kind == ErrorKind::LOST_INPUT && lost_worker != NO_WORKER;
	if (!lost_input) {
		dispatch.NoteFailedAt(key, failed.worker);
	}
	if (!goes_on) {
		// A worker that is out of service is not asked again at once, so that there is nothing to wait for
		auto forgiven = retries.Forgive(key, error, lost_input, now);
		auto wait = !forgiven || lost_input || error.kind == ErrorKind::OVERLOADED || pool.ActiveCount() == 0;
		auto ended = wait ? retries.RunAgainLater(key, error, now) : retries.RunAgain(key, error);
		if (ended) {
			return ended;
		}
	}
	if (!lost_input) {
		return std::nullopt;
	}
	// Outputs made there since this attempt started are not what it missed
	LoseOutputs(lost_worker, failed.start_sequence, &table.Stage(key.stage).plan.inputs);
	return RecoverLost(error);
}

QueryError Recovery::TaskOutputLost(const event::TaskOutputLost &event) {
	if (!attempts.MadeOutput(event.task, event.attempt, event.worker)) {
		return std::nullopt;
	}
	auto &record = table.Task(event.task);
	if (!record.output_available || !record.announced || record.consumed) {
		return std::nullopt;
	}
	LoseOutput(event.task);
	return RecoverLost(event.error);
}

void Recovery::LoseOutputs(WorkerIndex worker, uint64_t until, const std::vector<StageId> *of) {
	for (auto key : pool.TakeOutputs(worker)) {
		auto &record = table.Task(key);
		if (!record.output_available || record.main.worker != worker) {
			continue;
		}
		auto concerned = !of || std::binary_search(of->begin(), of->end(), key.stage);
		if (!concerned || record.output_sequence > until) {
			pool.AddOutput(worker, key);
			continue;
		}
		LoseOutput(key);
	}
}

void Recovery::LoseOutput(TaskKey key) {
	table.LoseOutput(key);
	outputs_lost++;
	auto worker = table.Task(key).main.worker;
	if (pool.IsPresent(worker)) {
		dispatch.NoteFailedAt(key, worker);
	}
}

QueryError Recovery::RecoverLost(const TaskError &error) {
	auto &stages = table.Stages();
	std::vector<StageId> changed;
	for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
		if (stage->lost.empty()) {
			continue;
		}
		auto open_before = stage->open;
		if (auto failed = RecoverStage(*stage, error)) {
			return failed;
		}
		if (stage->open != open_before && !stage->plan.repeatable) {
			changed.push_back(stage->plan.id);
		}
	}
	for (auto stage : changed) {
		if (auto failed = InvalidateReaders(stages[stage], error)) {
			return failed;
		}
	}
	return std::nullopt;
}

QueryError Recovery::RecoverStage(const StageRecord &stage, const TaskError &error) {
	for (auto position = stage.lost.begin(); position != stage.lost.end();) {
		auto key = TaskKey {stage.plan.id, *position++};
		if (!table.IsNeeded(stage, key.task)) {
			continue;
		}
		table.Reopen(key);
		if (auto failed = retries.RunAgain(key, error)) {
			return failed;
		}
	}
	return std::nullopt;
}

bool Recovery::IsUsed(const StageRecord &stage) const {
	// What the session has read must fit what the consumers will read
	auto uses = [this](StageId id) {
		auto &consumer = table.Stage(id);
		return consumer.open < consumer.tasks.size() || consumer.IsAnnounced();
	};
	return (!stage.consumers.empty() && stage.IsAnnounced()) ||
	       std::any_of(stage.consumers.begin(), stage.consumers.end(), uses);
}

QueryError Recovery::InvalidateReaders(const StageRecord &stage, const TaskError &error) {
	if (IsUsed(stage)) {
		auto final_error = error;
		final_error.message = "Stage " + std::to_string(stage.plan.id) +
		                      " would not make the same rows again, and some have been used: " + error.message;
		return final_error;
	}
	for (auto id : stage.consumers) {
		auto &consumer = table.Stage(id);
		auto failed = RestartRunning(consumer, error);
		if (!failed) {
			failed = InvalidateReaders(consumer, error);
		}
		if (failed) {
			return failed;
		}
	}
	return std::nullopt;
}

QueryError Recovery::RestartRunning(const StageRecord &stage, const TaskError &error) {
	for (TaskId task = 0; task < stage.tasks.size(); task++) {
		if (stage.tasks[task].state != TaskState::RUNNING) {
			continue;
		}
		auto key = TaskKey {stage.plan.id, task};
		attempts.Cancel(key);
		if (auto failed = retries.RunAgain(key, error)) {
			return failed;
		}
	}
	return std::nullopt;
}

void Recovery::DropSuperfluousReruns(const StageRecord &stage) {
	for (auto id : stage.plan.inputs) {
		auto &input = table.Stage(id);
		if (input.open == 0 || table.HasWaitingConsumer(input)) {
			continue;
		}
		for (TaskId task = 0; task < input.tasks.size(); task++) {
			DropIfSuperfluous(TaskKey {id, task});
		}
	}
}

void Recovery::DropIfSuperfluous(TaskKey key) {
	auto state = table.Task(key).state;
	auto open = state == TaskState::QUEUED || state == TaskState::RUNNING;
	if (open && !table.IsNeeded(table.Stage(key.stage), key.task)) {
		AbandonRerun(key);
	}
}

void Recovery::AbandonRerun(TaskKey key) {
	auto &record = table.Task(key);
	if (record.state == TaskState::RUNNING) {
		attempts.Cancel(key);
	} else if (!record.backing_off) {
		dispatch.Remove(key);
	}
	record.backing_off = false;
	table.Abandon(key);
	auto &stage = table.Stage(key.stage);
	if (stage.open == 0) {
		DropSuperfluousReruns(stage);
	}
}

} // namespace duckherder
