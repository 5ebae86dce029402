#include "scheduler/running_attempts.hpp"

namespace duckherder {

RunningAttempts::RunningAttempts(StageTable &table, WorkerPool &pool, SchedulerActions &actions)
    : table(table), pool(pool), actions(actions) {
}

bool RunningAttempts::IsRunning(TaskKey key, Attempt attempt, const WorkerId &worker) const {
	if (!table.IsKnown(key)) {
		return false;
	}
	auto &record = table.Task(key);
	auto is = [&](const AttemptRecord &one) { return one.number == attempt && pool.Name(one.worker) == worker; };
	return record.state == TaskState::RUNNING && (is(record.main) || (record.speculative && is(*record.speculative)));
}

bool RunningAttempts::MadeOutput(TaskKey key, Attempt attempt, const WorkerId &worker) const {
	if (!table.IsKnown(key)) {
		return false;
	}
	auto &record = table.Task(key);
	return record.state == TaskState::DONE && record.main.number == attempt && pool.Name(record.main.worker) == worker;
}

AttemptRecord RunningAttempts::Begin(TaskKey key, WorkerIndex worker, TimeMs now, bool speculative) {
	auto attempt = AttemptRecord {table.Task(key).attempts++, worker, now, ++sequence};
	started++;
	pool.Occupy(worker, key);
	actions.emplace_back(action::StartTask {key, attempt.number, pool.Name(worker), speculative});
	return attempt;
}

void RunningAttempts::Start(TaskKey key, WorkerIndex worker, TimeMs now) {
	auto &record = table.Task(key);
	auto &stage = table.Stage(key.stage);
	retries += record.attempts > 0 ? 1 : 0;
	record.state = TaskState::RUNNING;
	record.main = Begin(key, worker, now, false);
	if (stage.plan.may_speculate && record.speculative_attempts == 0) {
		stage.not_speculated.emplace(now, key.task);
	}
}

void RunningAttempts::StartSpeculative(TaskKey key, WorkerIndex worker, TimeMs now) {
	auto &record = table.Task(key);
	table.Stage(key.stage).not_speculated.erase({record.main.started_at, key.task});
	record.speculative_attempts++;
	record.speculative = Begin(key, worker, now, true);
	speculative_started++;
	running_speculative++;
}

void RunningAttempts::Succeed(TaskKey key, Attempt attempt, TimeMs now) {
	auto &record = table.Task(key);
	speculative_won += record.speculative && record.speculative->number == attempt ? 1 : 0;
	CancelOther(key, attempt);
	Stop(key);
	table.Stage(key.stage).durations.Add(now - record.main.started_at);
	pool.AddOutput(record.main.worker, key);
	record.output_sequence = ++sequence;
	table.Complete(key);
}

bool RunningAttempts::End(TaskKey key, WorkerIndex worker) {
	auto &record = table.Task(key);
	if (record.speculative) {
		Keep(key, record.speculative->worker != worker);
		return true;
	}
	Stop(key);
	return false;
}

void RunningAttempts::EndAll(TaskKey key, Attempt attempt) {
	CancelOther(key, attempt);
	Stop(key);
}

void RunningAttempts::Cancel(TaskKey key) {
	auto &record = table.Task(key);
	EndAll(key, record.main.number);
	actions.emplace_back(action::CancelAttempt {key, record.main.number, pool.Name(record.main.worker)});
}

void RunningAttempts::CancelQuery() {
	for (auto &stage : table.Stages()) {
		for (TaskId task = 0; task < stage.tasks.size(); task++) {
			auto &record = stage.tasks[task];
			if (record.state == TaskState::RUNNING) {
				Cancel(TaskKey {stage.plan.id, task});
			}
			if (record.state == TaskState::QUEUED) {
				record.state = TaskState::CANCELLED;
			}
		}
	}
}

void RunningAttempts::Stop(TaskKey key) {
	auto &record = table.Task(key);
	table.Stage(key.stage).not_speculated.erase({record.main.started_at, key.task});
	pool.Release(record.main.worker, key);
	record.state = TaskState::QUEUED;
}

void RunningAttempts::Keep(TaskKey key, bool speculative) {
	auto &record = table.Task(key);
	pool.Release(speculative ? record.main.worker : record.speculative->worker, key);
	if (speculative) {
		record.main = *record.speculative;
	}
	record.speculative.reset();
	running_speculative--;
}

void RunningAttempts::CancelOther(TaskKey key, Attempt kept) {
	auto &record = table.Task(key);
	if (!record.speculative) {
		return;
	}
	auto speculative_goes_on = record.speculative->number == kept;
	auto &other = speculative_goes_on ? record.main : *record.speculative;
	actions.emplace_back(action::CancelAttempt {key, other.number, pool.Name(other.worker)});
	Keep(key, speculative_goes_on);
}

void RunningAttempts::Report(SchedulerStats &stats) const {
	stats.running_tasks = pool.RunningCount();
	stats.attempts_started = started;
	stats.retries = retries;
	stats.speculative_attempts = speculative_started;
	stats.speculative_won = speculative_won;
}

} // namespace duckherder
