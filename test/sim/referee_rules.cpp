#include "sim/referee.hpp"

#include <algorithm>

//! The rules: which actions are allowed, and what must hold after every event.
namespace duckherder::sim {

void Referee::After(const SchedulerActions &actions, const QueryScheduler &scheduler, TimeMs event_time) {
	now = std::max(now, event_time);
	for (auto &action : actions) {
		Require(!ended, "an action after the end");
		std::visit([&](const auto &concrete) { Check(concrete, scheduler); }, action);
	}
	Require(ended == scheduler.Ended(), "Ended() does not fit the actions");
	if (ended) {
		return;
	}
	Require(!ready_expected, "no TaskReady for " + ToString(ready_task));
	Require(!user_failed, "went on after the user's error");
	Require(!cancelled, "went on after cancel");
	Require(!enough, "went on after the session had enough");
	Require(broken_workers < config.broken_workers_max, "went on after breaking too many workers");
	CheckSizes();
	// Looks at every worker: in big scenarios now and then
	if (thorough || ++events % 101 == 0) {
		CheckIdleSlots();
		CheckCounts(scheduler);
	}
	if (thorough) {
		CheckState(scheduler);
	}
}

void Referee::Check(const action::StartTask &action, const QueryScheduler &scheduler) {
	auto &task = At(action.task);
	auto &account = accounts[action.task.stage];
	auto name = ToString(action.task) + " attempt " + std::to_string(action.attempt) + " at " + action.worker;
	Require(started, "started before Start: " + name);
	if (action.speculative) {
		CheckSpeculative(action, task);
	} else {
		Require(!task.Running(), "started twice: " + name);
		Require(task.Counted() <= config.task_retries, "more attempts than allowed: " + name);
	}
	Require(!task.has_output, "started although its output is there: " + name);
	Require(action.attempt == task.attempts, "wrong attempt number: " + name);
	Require(InputsAvailable(action.task.stage), "started without all inputs: " + name);
	Require(StagesBeforeDone(action.task.stage), "started too early: " + name);
	Require(account.sized, "started before the stage was sized: " + name);
	if (task.done) {
		auto waits = [&](StageId consumer) { return !scheduler.StageDone(consumer); };
		auto needed = std::any_of(account.consumers.begin(), account.consumers.end(), waits);
		Require(needed || (IsGather(action.task.stage) && !task.consumed), "run again for nobody: " + name);
	}
	CheckPlace(action, task);
	account.untouched -= task.attempts == 0 ? 1 : 0;
	account.retrying.erase(action.task.task);
	task.attempts++;
	task.speculative_attempts += action.speculative ? 1 : 0;
	task.runs.push_back(Run {action.attempt, action.worker, ++sequence, now});
	running++;
	workers[action.worker].running.insert(action.task);
}

TimeMs Referee::SlowAfter(StageId stage) const {
	auto &account = accounts[stage];
	if (account.done == 0 || account.done * 100ULL < account.tasks.size() * limits::STRAGGLER_DONE_PERCENT) {
		return 0;
	}
	auto durations = account.durations;
	auto middle = durations.begin() + static_cast<std::ptrdiff_t>((durations.size() - 1) / 2);
	std::nth_element(durations.begin(), middle, durations.end());
	return std::max(config.straggler_min_ms, config.straggler_factor * *middle);
}

void Referee::CheckSpeculative(const action::StartTask &action, const Task &task) {
	auto name = ToString(action.task) + " at " + action.worker;
	auto &stage = stages[action.task.stage];
	Require(config.speculate && stage.repeatable && stage.may_speculate,
	        "a speculative attempt of what must have none: " + name);
	Require(task.runs.size() == 1 && task.speculative_attempts == 0,
	        "a second speculative attempt, or one of what does not run: " + name);
	Require(task.runs.empty() || task.runs[0].worker != action.worker,
	        "a speculative attempt where the task runs: " + name);
	Require(task.failed_at.count(action.worker) == 0, "a speculative attempt where the task failed: " + name);
	Require(accounts[stage.id].untouched == 0, "a speculative attempt while tasks wait: " + name);
	auto slow_after = SlowAfter(stage.id);
	Require(!task.runs.empty() && slow_after > 0 && task.runs[0].started_at + slow_after <= now,
	        "a speculative attempt of what is not slow: " + name);
}

void Referee::CheckStragglers(const std::vector<WorkerId> &idle) {
	for (auto &stage : stages) {
		auto &account = accounts[stage.id];
		auto slow_after = SlowAfter(stage.id);
		auto may_speculate = config.speculate && stage.repeatable && stage.may_speculate && slow_after > 0;
		// One that waits, perhaps because its output was lost, goes first
		auto settled = [](const Task &task) { return task.Running() || task.has_output; };
		if (!may_speculate || !InputsAvailable(stage.id) ||
		    !std::all_of(account.tasks.begin(), account.tasks.end(), settled)) {
			continue;
		}
		for (auto &task : account.tasks) {
			auto slow =
			    task.runs.size() == 1 && task.speculative_attempts == 0 && task.runs[0].started_at + slow_after <= now;
			auto may_run = [&](const WorkerId &worker) {
				return worker != task.runs[0].worker && task.failed_at.count(worker) == 0;
			};
			Require(!slow || std::none_of(idle.begin(), idle.end(), may_run), "a slow task has no speculative attempt");
		}
	}
}

void Referee::CheckPlace(const action::StartTask &action, const Task &task) {
	auto &worker = workers[action.worker];
	Require(worker.active, "started at a worker that takes no tasks: " + action.worker);
	Require(worker.running.size() < worker.slots, "more attempts than slots at " + action.worker);
	if (task.failed_at.count(action.worker) == 0) {
		return;
	}
	for (auto &other : workers) {
		auto better = other.second.active && other.second.slots > 0 && task.failed_at.count(other.first) == 0;
		Require(!better, ToString(action.task) + " went back to " + action.worker + " instead of " + other.first);
	}
}

void Referee::Check(const action::CancelAttempt &action, const QueryScheduler &) {
	auto accepted = Accept(action.task, action.attempt, action.worker);
	Require(accepted.has_value(), "cancelled what does not run: " + ToString(action.task));
	// An attempt that was dropped because nobody needed it has been used up, should somebody need it later
	exhausted |= At(action.task).Exhausted(config);
	if (accepted && At(action.task).done) {
		accounts[action.task.stage].retrying.erase(action.task.task);
	}
}

void Referee::Check(const action::ResolveTaskCount &action, const QueryScheduler &) {
	auto &account = accounts[action.stage];
	Require(InputsAvailable(action.stage) && StagesBeforeDone(action.stage),
	        "asked too early for the size of stage " + std::to_string(action.stage));
	Require(!account.sized && !account.asked_for_size, "asked again for a size: " + std::to_string(action.stage));
	account.asked_for_size = true;
}

void Referee::CheckSizes() {
	for (auto &stage : stages) {
		auto &account = accounts[stage.id];
		auto forgotten = started && !account.sized && !account.asked_for_size && InputsAvailable(stage.id) &&
		                 StagesBeforeDone(stage.id);
		Require(!forgotten, "not asked for the size of stage " + std::to_string(stage.id));
	}
}

void Referee::Check(const action::TaskReady &action, const QueryScheduler &) {
	auto &task = At(action.task);
	auto expected = ready_expected && action.task == ready_task;
	Require(expected, "an unexpected TaskReady: " + ToString(action.task));
	Require(task.has_output && action.attempt == task.made_by && action.worker == task.holder,
	        "TaskReady names another output: " + ToString(action.task));
	task.announced = true;
	ready_expected = false;
}

void Referee::Check(const action::QueryFinished &, const QueryScheduler &scheduler) {
	ended = true;
	Require(running == 0, "finished while attempts run");
	if (enough) {
		return;
	}
	Require(done == scheduler.Stats().total_tasks, "finished before every task had succeeded");
	Require(scheduler.Stats().done_tasks == done, "tasks were counted more or less than once");
	for (auto &stage : stages) {
		for (auto &task : accounts[stage.id].tasks) {
			Require(!IsGather(stage.id) || task.consumed, "finished before the session had read everything");
		}
	}
}

void Referee::Check(const action::QueryFailed &action, const QueryScheduler &) {
	ended = true;
	failed = true;
	error = action.error;
	Require(running == 0, "failed while attempts run");
	Require(!error.message.empty(), "failed without a message");
	if (error.kind == ErrorKind::USER || error.kind == ErrorKind::CANCELLED) {
		Require(error.kind == ErrorKind::USER ? user_failed : cancelled, "an error that nobody made: " + error.message);
		return;
	}
	auto unrepeatable = std::any_of(stages.begin(), stages.end(), [](auto &stage) { return !stage.repeatable; });
	auto active = std::any_of(workers.begin(), workers.end(),
	                          [](auto &worker) { return worker.second.active && worker.second.slots > 0; });
	auto lost_for_good = unrepeatable && output_lost;
	auto breaks_workers = broken_workers >= config.broken_workers_max;
	Require(exhausted || !active || lost_for_good || breaks_workers, "gave up too early: " + error.message);
}

void Referee::Check(const action::SetTimer &action, const QueryScheduler &) {
	Require(action.at_ms > now, "a timer in the past");
}

void Referee::CheckIdleSlots() {
	if (!started) {
		return;
	}
	std::vector<WorkerId> idle;
	for (auto &worker : workers) {
		if (worker.second.active && worker.second.running.size() < worker.second.slots) {
			idle.push_back(worker.first);
		}
	}
	if (idle.empty()) {
		return;
	}
	for (auto &stage : stages) {
		auto &account = accounts[stage.id];
		auto has_tasks = account.sized && (account.untouched > 0 || !account.retrying.empty());
		if (has_tasks && InputsAvailable(stage.id) && StagesBeforeDone(stage.id)) {
			Require(account.untouched == 0,
			        "a slot idles at " + idle[0] + " while stage " + std::to_string(stage.id) + " has tasks to start");
			CheckRetrying(account, idle);
		}
	}
	CheckStragglers(idle);
}

void Referee::CheckRetrying(const StageAccount &account, const std::vector<WorkerId> &idle) {
	for (auto number : account.retrying) {
		auto &task = account.tasks[number];
		auto may_run = [&](const WorkerId &worker) { return task.failed_at.count(worker) == 0; };
		auto place = std::find_if(idle.begin(), idle.end(), may_run);
		// Any event after the longest back-off must have started it
		auto overdue = task.waiting_since + config.backoff_max_ms < now;
		Require(!overdue || task.done || place == idle.end(), "a failed task waits while a slot idles");
	}
}

void Referee::CheckCounts(const QueryScheduler &scheduler) {
	auto stats = scheduler.Stats();
	Require(stats.running_tasks == running, "another number of attempts runs than was started");
	Require(stats.done_tasks <= done, "counts tasks that have not succeeded");
	for (auto &worker : workers) {
		auto &holder = worker.second;
		Require(holder.present || holder.running.empty(), "attempts run at the lost worker " + worker.first);
	}
}

void Referee::CheckState(const QueryScheduler &scheduler) {
	for (auto &stage : stages) {
		Require(scheduler.IsSized(stage.id) == accounts[stage.id].sized, "disagree whether a stage is sized");
		if (!accounts[stage.id].sized) {
			continue;
		}
		auto outputs = scheduler.StageOutputs(stage.id);
		Require(outputs.size() == accounts[stage.id].available, "other outputs are available than were made");
		for (TaskId number = 0; number < stage.task_count; number++) {
			auto &task = accounts[stage.id].tasks[number];
			auto info = scheduler.Task(TaskKey {stage.id, number});
			auto name = ToString(info.task);
			Require(info.output_available == task.has_output, "disagree about the output of " + name);
			Require((info.state == TaskState::RUNNING) == task.Running(), "disagree whether it runs: " + name);
			Require(task.Running() || !task.has_output || (info.attempt == task.made_by && info.worker == task.holder),
			        "disagree who made the output of " + name);
			for (auto &run : task.runs) {
				Require(scheduler.IsRunning(info.task, run.attempt, run.worker), "forgot an attempt of " + name);
			}
			Require(info.state != TaskState::DONE || task.done, "done without success: " + name);
			Require(info.attempts == task.attempts, "disagree about the attempts of " + name);
		}
	}
}

} // namespace duckherder::sim
