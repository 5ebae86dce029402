#include "scheduler/query_scheduler.hpp"

#include <algorithm>

//! Second attempts of tasks that are slow for no reason that the scheduler knows.
namespace duckherder {

bool QueryScheduler::MaySpeculate(const StageRecord &stage, const TaskRecord &record) const {
	return config.speculate && stage.plan.repeatable && stage.plan.may_speculate && record.speculative_attempts == 0;
}

std::optional<uint64_t> QueryScheduler::StragglerMs(const StageRecord &stage) const {
	auto wanted = stage.tasks.size() * limits::STRAGGLER_DONE_PERCENT;
	if (stage.succeeded == 0 || stage.succeeded * 100ULL < wanted) {
		return std::nullopt;
	}
	return std::max(config.straggler_min_ms, config.straggler_factor * stage.durations.Get());
}

void QueryScheduler::CopyStragglers() {
	straggler_due.reset();
	if (!config.speculate) {
		return;
	}
	for (auto &stage : stages) {
		// A task that waits has more use for a slot, and one whose input is lost would fail
		if (pool.FreeWorkers().empty()) {
			return;
		}
		auto wait = StragglerMs(stage);
		if (stage.not_speculated.empty() || !wait || !stage.queue.Empty() || stage.missing_inputs > 0) {
			continue;
		}
		std::vector<TaskId> slow;
		auto task = stage.not_speculated.begin();
		for (; task != stage.not_speculated.end() && task->first + *wait <= time; ++task) {
			slow.push_back(task->second);
		}
		if (task != stage.not_speculated.end()) {
			auto due = task->first + *wait;
			straggler_due = straggler_due ? std::min(*straggler_due, due) : due;
		}
		for (auto one : slow) {
			CopyStraggler(TaskKey {stage.plan.id, one});
		}
	}
}

void QueryScheduler::CopyStraggler(TaskKey key) {
	auto failed = failed_at.find(key);
	for (auto &free_worker : pool.FreeWorkers()) {
		auto worker = free_worker.worker;
		auto failed_here = failed != failed_at.end() &&
		                   std::find(failed->second.begin(), failed->second.end(), worker) != failed->second.end();
		if (worker != Record(key).main.worker && !failed_here) {
			// Changes FreeWorkers: the loop ends here
			StartCopy(key, worker);
			return;
		}
	}
}

void QueryScheduler::StartCopy(TaskKey key, WorkerIndex worker) {
	auto &record = Record(key);
	StageOf(key).not_speculated.erase({record.main.started_at, key.task});
	record.speculative_attempts++;
	record.speculative = AttemptRecord {record.attempts++, worker, time, ++sequence};
	stats.attempts_started++;
	stats.speculative_attempts++;
	running_speculative++;
	pool.Occupy(worker, key);
	actions.emplace_back(action::StartTask {key, record.speculative->number, pool.Name(worker), true});
}

void QueryScheduler::KeepOnly(TaskKey key, bool speculative) {
	auto &record = Record(key);
	pool.Release(speculative ? record.main.worker : record.speculative->worker, key);
	if (speculative) {
		record.main = *record.speculative;
	}
	record.speculative.reset();
	running_speculative--;
}

void QueryScheduler::CancelOther(TaskKey key, Attempt kept) {
	auto &record = Record(key);
	if (!record.speculative) {
		return;
	}
	auto speculative_goes_on = record.speculative->number == kept;
	auto &other = speculative_goes_on ? record.main : *record.speculative;
	actions.emplace_back(action::CancelAttempt {key, other.number, pool.Name(other.worker)});
	KeepOnly(key, speculative_goes_on);
}

} // namespace duckherder
