#include "scheduler/query_scheduler.hpp"

#include <algorithm>

namespace duckherder {

QueryScheduler::QueryScheduler(std::vector<SchedulerStage> plans, SchedulerConfig config, AffinityMap &affinity)
    : config(config), table(std::move(plans), config.speculate), attempts(table, pool, actions),
      dispatch(table, pool, attempts, affinity), speculation(this->config, table, pool, dispatch, attempts),
      retries(this->config, table, dispatch), recovery(this->config, table, pool, attempts, dispatch, retries) {
}

SchedulerActions QueryScheduler::Handle(const SchedulerEvent &event, TimeMs now) {
	time = std::max(time, now);
	if (ended) {
		CountLate(event);
		return {};
	}
	std::visit([this](const auto &concrete) { On(concrete); }, event);
	if (started && !ended) {
		Advance();
	}
	SchedulerActions result;
	result.swap(actions);
	return result;
}

void QueryScheduler::CountLate(const SchedulerEvent &event) {
	auto is_result =
	    std::holds_alternative<event::TaskSucceeded>(event) || std::holds_alternative<event::TaskFailed>(event);
	ignored.late_results += is_result ? 1 : 0;
}

void QueryScheduler::On(const event::Start &) {
	if (std::exchange(started, true)) {
		return;
	}
	for (auto &stage : table.Stages()) {
		dispatch.EnqueueAll(stage);
	}
}

void QueryScheduler::On(const event::StageSized &event) {
	if (table.IsUnsized(event.stage)) {
		table.Size(event);
		dispatch.EnqueueAll(table.Stage(event.stage));
	}
}

void QueryScheduler::On(const event::StageMerged &event) {
	if (table.IsUnsized(event.stage)) {
		table.Merge(event.stage, event.into);
	}
}

void QueryScheduler::On(const event::WorkerJoined &event) {
	pool.Join(pool.Intern(event.worker), event.slots);
}

void QueryScheduler::On(const event::WorkerDraining &event) {
	auto worker = pool.Find(event.worker);
	if (worker != NO_WORKER && pool.IsPresent(worker)) {
		pool.Drain(worker);
	}
}

void QueryScheduler::On(const event::WorkerLost &event) {
	FailBy(recovery.WorkerLost(event));
}

bool QueryScheduler::Accept(TaskKey key, Attempt attempt, const WorkerId &worker) {
	if (attempts.IsRunning(key, attempt, worker)) {
		return true;
	}
	(attempts.MadeOutput(key, attempt, worker) ? ignored.duplicate_results : ignored.stale_results)++;
	return false;
}

void QueryScheduler::On(const event::TaskSucceeded &event) {
	if (!Accept(event.task, event.attempt, event.worker)) {
		return;
	}
	attempts.Succeed(event.task, event.attempt, time);
	dispatch.NoteSucceededAt(event.task, event.worker);
	auto &stage = table.Stage(event.task.stage);
	auto &record = table.Task(event.task);
	if (stage.GivesToSession() && !record.consumed) {
		record.announced = true;
		actions.emplace_back(action::TaskReady {event.task, event.attempt, event.worker});
	}
	if (stage.open == 0) {
		recovery.DropSuperfluousReruns(stage);
	}
}

void QueryScheduler::On(const event::TaskFailed &event) {
	if (Accept(event.task, event.attempt, event.worker)) {
		FailBy(recovery.TaskFailed(event, time));
	}
}

void QueryScheduler::On(const event::TaskOutputConsumed &event) {
	if (table.IsKnown(event.task) && table.Task(event.task).announced && !table.Task(event.task).consumed) {
		table.Consume(event.task);
		// It was read in time, before the loss that may have made the task run again
		recovery.DropIfSuperfluous(event.task);
	}
}

void QueryScheduler::On(const event::TaskOutputLost &event) {
	FailBy(recovery.TaskOutputLost(event));
}

void QueryScheduler::On(const event::QueryConsumed &) {
	Finish();
}

void QueryScheduler::On(const event::Cancel &) {
	TaskError error;
	error.kind = ErrorKind::CANCELLED;
	error.exception_type = "INTERRUPT";
	error.message = "The query was cancelled";
	FailBy(std::move(error));
}

void QueryScheduler::On(const event::TimerFired &) {
	armed_timer.reset();
}

void QueryScheduler::Advance() {
	if (table.AllTasksDone() && table.AllConsumed()) {
		Finish();
		return;
	}
	retries.EndBackOffs(time);
	AskForSizes();
	dispatch.StartTasks(time);
	speculation.StartDue(time);
	CheckWorkers();
	if (!ended) {
		ArmTimer();
	}
}

void QueryScheduler::AskForSizes() {
	if (table.AllSized()) {
		return;
	}
	for (auto &stage : table.Stages()) {
		if (!stage.sized && !stage.asked_for_size && stage.CanStart()) {
			stage.asked_for_size = true;
			actions.emplace_back(action::ResolveTaskCount {stage.plan.id});
		}
	}
}

void QueryScheduler::CheckWorkers() {
	auto stranded = pool.ActiveCount() == 0 && table.OpenTasks() > attempts.RunningTasks();
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
	error = recovery.LastFailure().value_or(error);
	auto reason = error.message.empty() ? "" : "; the last failure: " + error.message;
	error.kind = ErrorKind::WORKER_FAILURE;
	error.message = "No worker takes tasks: " + std::to_string(table.OpenTasks()) + " of " +
	                std::to_string(table.TotalTasks()) + " tasks are not done, and none came within " +
	                std::to_string(config.no_worker_timeout_ms) + " ms" + reason;
	FailBy(std::move(error));
}

void QueryScheduler::ArmTimer() {
	std::optional<TimeMs> next;
	for (auto due : {no_worker_deadline, speculation.NextDue(), retries.NextDue()}) {
		if (due) {
			next = std::min(next.value_or(*due), *due);
		}
	}
	if (next && next != armed_timer) {
		armed_timer = next;
		actions.emplace_back(action::SetTimer {*next});
	}
}

void QueryScheduler::Finish() {
	attempts.CancelQuery();
	ended = true;
	actions.emplace_back(action::QueryFinished {});
}

void QueryScheduler::FailBy(QueryError error) {
	if (error) {
		attempts.CancelQuery();
		ended = true;
		actions.emplace_back(action::QueryFailed {std::move(*error)});
	}
}

TaskInfo QueryScheduler::Task(TaskKey key) const {
	auto &record = table.Task(key);
	TaskInfo info;
	info.task = key;
	info.state = record.state;
	info.attempts = record.attempts;
	info.attempt = record.main.number;
	info.speculated = record.speculative_attempts > 0;
	info.output_available = record.output_available;
	if (record.main.worker != NO_WORKER) {
		info.worker = pool.Name(record.main.worker);
	}
	return info;
}

bool QueryScheduler::IsRunning(TaskKey key, Attempt attempt, const WorkerId &worker) const {
	return attempts.IsRunning(key, attempt, worker);
}

std::vector<TaskOutput> QueryScheduler::StageOutputs(StageId id) const {
	auto &stage = table.Stage(id);
	std::vector<TaskOutput> outputs;
	outputs.reserve(stage.available);
	for (TaskId task = 0; task < stage.tasks.size(); task++) {
		auto &record = stage.tasks[task];
		if (record.output_available) {
			outputs.push_back(TaskOutput {task, record.main.number, pool.Name(record.main.worker)});
		}
	}
	return outputs;
}

uint32_t QueryScheduler::StageCount() const {
	return static_cast<uint32_t>(table.Stages().size());
}

SchedulerStats QueryScheduler::Stats() const {
	auto result = ignored;
	result.total_tasks = table.TotalTasks();
	result.done_tasks = table.DoneTasks();
	result.outputs_lost = recovery.OutputsLost();
	attempts.Report(result);
	return result;
}

double QueryScheduler::Progress() const {
	if (table.TotalTasks() == 0) {
		return ended ? 1.0 : 0.0;
	}
	return static_cast<double>(table.DoneTasks()) / table.TotalTasks();
}

} // namespace duckherder
