#include "sim/referee.hpp"

#include "sim/scenario.hpp"

#include <algorithm>

//! The referee's own account: what each event must do.
namespace duckherder::sim {

std::string ToString(TaskKey key) {
	return std::to_string(key.stage) + "." + std::to_string(key.task);
}

Referee::Referee(const std::vector<SchedulerStage> &stages, const SchedulerConfig &config, bool thorough)
    : stages(stages), config(config), thorough(thorough), accounts(stages.size()) {
	for (auto &stage : stages) {
		accounts[stage.id].tasks.resize(stage.task_count);
		accounts[stage.id].untouched = stage.task_count;
		accounts[stage.id].sized = !stage.deferred_task_count;
		accounts[stage.id].was_complete = stage.task_count == 0;
	}
	FindConsumers();
}

void Referee::FindConsumers() {
	for (auto &account : accounts) {
		account.consumers.clear();
	}
	for (auto &stage : stages) {
		for (auto input : stage.inputs) {
			accounts[input].consumers.push_back(stage.id);
		}
	}
}

void Referee::Before(const SchedulerEvent &event, TimeMs event_time) {
	now = std::max(now, event_time);
	ready_expected = false;
	if (!ended) {
		std::visit([this](const auto &concrete) { Apply(concrete); }, event);
	}
}

void Referee::Apply(const event::Start &) {
	started = true;
}

void Referee::Apply(const event::WorkerJoined &event) {
	auto &worker = workers[event.worker];
	worker.present = true;
	worker.active = true;
	worker.slots = event.slots;
}

void Referee::Apply(const event::WorkerDraining &event) {
	workers[event.worker].active = false;
}

void Referee::Apply(const event::WorkerLost &event) {
	auto &worker = workers[event.worker];
	worker.present = false;
	worker.active = false;
	auto lost_running = worker.running;
	for (auto key : lost_running) {
		for (auto &run : std::vector<Run>(At(key).runs)) {
			if (run.worker == event.worker) {
				Accept(key, run.attempt, run.worker);
			}
		}
		At(key).failed_at.insert(event.worker);
		exhausted |= At(key).Exhausted(config);
	}
	auto lost_outputs = worker.outputs;
	for (auto key : lost_outputs) {
		LoseOutput(key, false);
	}
}

std::optional<Referee::Run> Referee::Accept(TaskKey key, Attempt attempt, const WorkerId &worker) {
	auto &task = At(key);
	auto is = [&](const Run &run) { return run.attempt == attempt && run.worker == worker; };
	auto position = std::find_if(task.runs.begin(), task.runs.end(), is);
	if (position == task.runs.end()) {
		return std::nullopt;
	}
	auto run = *position;
	task.runs.erase(position);
	running--;
	workers[run.worker].running.erase(key);
	if (!task.Running()) {
		task.waiting_since = now;
		accounts[key.stage].retrying.insert(key.task);
	}
	return run;
}

void Referee::Apply(const event::TaskSucceeded &event) {
	auto run = Accept(event.task, event.attempt, event.worker);
	if (!run) {
		return;
	}
	auto task = &At(event.task);
	auto &account = accounts[event.task.stage];
	account.retrying.erase(event.task.task);
	account.durations.push_back(now - run->started_at);
	account.done += task->done ? 0 : 1;
	done += task->done ? 0 : 1;
	account.available++;
	account.was_complete |= account.done == stages[event.task.stage].task_count;
	task->done = true;
	task->has_output = true;
	task->made_by = run->attempt;
	task->holder = run->worker;
	task->output_made = ++sequence;
	workers[event.worker].outputs.insert(event.task);
	ready_expected = IsGather(event.task.stage) && !task->consumed;
	ready_task = event.task;
}

void Referee::Apply(const event::TaskFailed &event) {
	auto run = Accept(event.task, event.attempt, event.worker);
	if (!run) {
		return;
	}
	auto task = &At(event.task);
	user_failed = event.error.kind == ErrorKind::USER;
	broken_workers += event.error.kind == ErrorKind::BROKEN && event.error.breaks_worker ? 1 : 0;
	if (!task->Running()) {
		Forgive(*task, event.error);
	}
	exhausted |= task->Exhausted(config);
	if (event.error.kind != ErrorKind::LOST_INPUT) {
		task->failed_at.insert(event.worker);
		return;
	}
	auto &blamed = workers[event.error.lost_worker];
	auto outputs = blamed.outputs;
	for (auto key : outputs) {
		auto &inputs = stages[event.task.stage].inputs;
		auto is_input = std::find(inputs.begin(), inputs.end(), key.stage) != inputs.end();
		if (is_input && At(key).output_made < run->started) {
			LoseOutput(key, blamed.present);
		}
	}
}

void Referee::Forgive(Task &task, const TaskError &failure) const {
	static const std::set<ErrorKind> harmless = {ErrorKind::DRAINING, ErrorKind::UNREACHABLE, ErrorKind::OVERLOADED,
	                                             ErrorKind::REPLACED, ErrorKind::LOST_INPUT};
	auto victim = failure.kind == ErrorKind::BROKEN && !failure.breaks_worker;
	if (!victim && harmless.count(failure.kind) == 0) {
		return;
	}
	task.first_forgiven = task.first_forgiven.value_or(now);
	task.forgiven += now - *task.first_forgiven <= config.retry_patience_ms ? 1 : 0;
}

void Referee::LoseOutput(TaskKey key, bool avoid) {
	auto &task = At(key);
	workers[task.holder].outputs.erase(key);
	task.has_output = false;
	task.waiting_since = now;
	output_lost = true;
	accounts[key.stage].available--;
	exhausted |= task.Exhausted(config);
	if (avoid) {
		task.failed_at.insert(task.holder);
	}
}

void Referee::Apply(const event::StageSized &event) {
	accounts[event.stage].sized = true;
}

void Referee::Apply(const event::StageMerged &event) {
	auto &account = accounts[event.stage];
	if (account.sized) {
		return;
	}
	MergeStage(stages, event.stage, event.into);
	FindConsumers();
	account.sized = true;
	account.was_complete = true;
	account.tasks.clear();
	account.untouched = 0;
}

void Referee::Apply(const event::TaskOutputConsumed &event) {
	At(event.task).consumed |= At(event.task).announced;
}

void Referee::Apply(const event::TaskOutputLost &event) {
	auto &task = At(event.task);
	if (task.has_output && !task.consumed && task.made_by == event.attempt && task.holder == event.worker) {
		LoseOutput(event.task, workers[event.worker].present);
	}
}

void Referee::Apply(const event::QueryConsumed &) {
	enough = true;
}

void Referee::Apply(const event::Cancel &) {
	cancelled = true;
}

void Referee::Apply(const event::TimerFired &) {
}

bool Referee::InputsAvailable(StageId stage) const {
	auto complete = [this](StageId input) { return accounts[input].available == stages[input].task_count; };
	return std::all_of(stages[stage].inputs.begin(), stages[stage].inputs.end(), complete);
}

bool Referee::StagesBeforeDone(StageId stage) const {
	auto done_once = [this](StageId before) { return accounts[before].was_complete; };
	return std::all_of(stages[stage].after.begin(), stages[stage].after.end(), done_once);
}

bool Referee::IsGather(StageId stage) const {
	return stages[stage].output_kind == ExchangeKind::RESULT;
}

Referee::Task &Referee::At(TaskKey key) {
	return accounts.at(key.stage).tasks.at(key.task);
}

bool Referee::Ended() const {
	return ended;
}

bool Referee::Failed() const {
	return failed;
}

const TaskError &Referee::Error() const {
	return error;
}

const std::string &Referee::Violation() const {
	return violation;
}

void Referee::Blame(const std::string &what) {
	if (violation.empty()) {
		violation = what;
	}
}

void Referee::Require(bool condition, const std::string &what) {
	if (!condition) {
		Blame(what);
	}
}

} // namespace duckherder::sim
