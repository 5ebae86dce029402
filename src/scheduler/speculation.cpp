#include "scheduler/speculation.hpp"

#include <algorithm>

namespace duckherder {

Speculation::Speculation(const SchedulerConfig &config, StageTable &table, const WorkerPool &pool,
                         const Dispatch &dispatch, RunningAttempts &attempts)
    : config(config), table(table), pool(pool), dispatch(dispatch), attempts(attempts) {
}

std::optional<uint64_t> Speculation::SlowAfterMs(const StageRecord &stage) const {
	auto wanted = stage.tasks.size() * limits::STRAGGLER_DONE_PERCENT;
	if (stage.succeeded == 0 || stage.succeeded * 100ULL < wanted) {
		return std::nullopt;
	}
	return std::max(config.straggler_min_ms, config.straggler_factor * stage.durations.Get());
}

void Speculation::StartDue(TimeMs now) {
	next_due.reset();
	if (!config.speculate) {
		return;
	}
	for (auto &stage : table.Stages()) {
		// A task that waits has more use for a slot, and one whose input is lost would fail
		if (pool.FreeWorkers().empty()) {
			return;
		}
		auto wait = SlowAfterMs(stage);
		if (stage.not_speculated.empty() || !wait || dispatch.HasWaiting(stage.plan.id) || stage.missing_inputs > 0) {
			continue;
		}
		std::vector<TaskId> slow;
		auto task = stage.not_speculated.begin();
		for (; task != stage.not_speculated.end() && task->first + *wait <= now; ++task) {
			slow.push_back(task->second);
		}
		if (task != stage.not_speculated.end()) {
			auto due = task->first + *wait;
			next_due = next_due ? std::min(*next_due, due) : due;
		}
		for (auto one : slow) {
			StartElsewhere(TaskKey {stage.plan.id, one}, now);
		}
	}
}

void Speculation::StartElsewhere(TaskKey key, TimeMs now) {
	for (auto &free_worker : pool.FreeWorkers()) {
		auto worker = free_worker.worker;
		if (worker != table.Task(key).main.worker && !dispatch.HasFailedAt(key, worker)) {
			// Changes FreeWorkers: the loop ends here
			attempts.StartSpeculative(key, worker, now);
			return;
		}
	}
}

} // namespace duckherder
