#include "scheduler/retries.hpp"

#include <algorithm>

namespace duckherder {

Retries::Retries(const SchedulerConfig &config, StageTable &table, Dispatch &dispatch)
    : config(config), table(table), dispatch(dispatch), random_state(config.random_seed) {
}

QueryError Retries::RunAgain(TaskKey key, const TaskError &error) {
	auto failed = CheckAttempts(key, error);
	if (!failed) {
		dispatch.Enqueue(key);
	}
	return failed;
}

QueryError Retries::RunAgainLater(TaskKey key, const TaskError &error, TimeMs now) {
	auto failed = CheckAttempts(key, error);
	if (!failed) {
		auto &record = table.Task(key);
		record.backing_off = true;
		auto failures = std::max(record.attempts - record.forgiven, 1U);
		back_offs.emplace(now + BackOffMs(failures), BackingOff {key, record.attempts});
	}
	return failed;
}

QueryError Retries::CheckAttempts(TaskKey key, const TaskError &error) {
	auto &record = table.Task(key);
	auto attempts = record.attempts - record.speculative_attempts - record.forgiven;
	if (attempts <= config.task_retries) {
		return std::nullopt;
	}
	record.state = TaskState::FAILED;
	auto final_error = error;
	final_error.message = "Task " + std::to_string(key.task) + " of stage " + std::to_string(key.stage) +
	                      " failed after " + std::to_string(attempts) + (attempts == 1 ? " attempt: " : " attempts: ") +
	                      error.message;
	return final_error;
}

bool Retries::Forgive(TaskKey key, const TaskError &error, bool lost_input, TimeMs now) {
	auto refused = error.kind == ErrorKind::DRAINING || error.kind == ErrorKind::UNREACHABLE ||
	               error.kind == ErrorKind::OVERLOADED || error.kind == ErrorKind::REPLACED ||
	               (error.kind == ErrorKind::BROKEN && !error.breaks_worker);
	if (!refused && !lost_input) {
		return false;
	}
	auto &record = table.Task(key);
	if (!record.first_forgiven) {
		record.first_forgiven = now;
	}
	if (now - *record.first_forgiven > config.retry_patience_ms) {
		return false;
	}
	record.forgiven++;
	return true;
}

void Retries::EndBackOffs(TimeMs now) {
	while (!back_offs.empty() && back_offs.begin()->first <= now) {
		auto due = back_offs.extract(back_offs.begin()).mapped();
		auto &record = table.Task(due.task);
		// The task may have been abandoned in the meantime
		if (record.backing_off && record.attempts == due.attempts) {
			record.backing_off = false;
			dispatch.Enqueue(due.task);
		}
	}
}

uint64_t Retries::BackOffMs(uint32_t failures) {
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

} // namespace duckherder
