#include "sim/simulation.hpp"

#include <iostream>

//! Virtual time, the driver that carries out actions, and the session that reads the outputs.
namespace duckherder::sim {

//! Workers die in the first two minutes only, but calls may break all the time: with one worker and many retries that
//! takes hours. A query that takes longer than this hangs.
static constexpr TimeMs LONGEST_QUERY_MS = 24 * 3600 * 1000;

//! What the scheduler is told at first: of stages sized late, only a guess
static std::vector<SchedulerStage> Announced(std::vector<SchedulerStage> stages) {
	for (auto &stage : stages) {
		if (stage.deferred_task_count) {
			stage.task_count = stage.id % 3;
		}
	}
	return stages;
}

Simulation::Simulation(Scenario plan, bool trace)
    : scenario(std::move(plan)), trace(trace), random(scenario.seed ^ 0x5EED), affinity(50000),
      scheduler(Announced(scenario.stages), scenario.config, affinity),
      referee(scenario.stages, scenario.config, scenario.thorough), output_cache(scenario.stages.size()) {
	for (auto &worker_plan : scenario.workers) {
		Worker worker;
		worker.plan = worker_plan;
		worker.id = "w" + std::to_string(workers.size());
		worker_numbers[worker.id] = workers.size();
		workers.push_back(std::move(worker));
	}
}

void Simulation::Run() {
	Trace(scenario.ToString());
	PlanFaults();
	After(random.Between(0, 5), [this] { Deliver(event::Start {}); });
	while (!queue.empty() && referee.Violation().empty()) {
		auto next = queue.top();
		queue.pop();
		now = next.at;
		next.what();
		if (now > LONGEST_QUERY_MS && !referee.Ended()) {
			referee.Blame("the query does not end");
		}
	}
	CheckEnd();
}

void Simulation::CheckEnd() {
	if (!referee.Ended()) {
		referee.Blame("nothing will happen any more, and the query has not ended");
	}
	if (!referee.Failed()) {
		Content all;
		for (auto &entry : consumed) {
			if (!Merge(*entry.second, all)) {
				referee.Blame("the session read two versions of rows that cannot be made again");
			}
			if (entry.second->hash != ExpectedHash(entry.first.stage)) {
				referee.Blame("the session read wrong rows of " + ToString(entry.first));
			}
		}
	} else if (scenario.must_succeed) {
		referee.Blame("failed without need: " + referee.Error().message);
	}
	Trace(referee.Violation().empty() ? "all is well" : "VIOLATION " + referee.Violation());
}

void Simulation::After(TimeMs delay, std::function<void()> what) {
	queue.push(Scheduled {now + delay, scheduled++, std::move(what)});
}

TimeMs Simulation::DriverTime() const {
	auto time = static_cast<int64_t>(now) + clock_skew + 100000;
	return static_cast<TimeMs>(time);
}

void Simulation::Deliver(const SchedulerEvent &event) {
	if (trace) {
		static const char *const NAMES[] = {
		    "Start",         "WorkerJoined", "WorkerLost",  "WorkerDraining",     "TaskSucceeded",
		    "TaskFailed",    "StageSized",   "StageMerged", "TaskOutputConsumed", "TaskOutputLost",
		    "QueryConsumed", "Cancel",       "TimerFired"};
		std::string line = std::string("> ") + NAMES[event.index()];
		std::visit(
		    [&](const auto &concrete) {
			    if constexpr (requires { concrete.stage; }) {
				    line += " " + std::to_string(concrete.stage);
			    }
			    if constexpr (requires { concrete.task; }) {
				    line += " " + ToString(concrete.task);
			    }
			    if constexpr (requires { concrete.attempt; }) {
				    line += " attempt " + std::to_string(concrete.attempt);
			    }
			    if constexpr (requires { concrete.worker; }) {
				    line += " " + concrete.worker;
			    }
			    if constexpr (requires { concrete.error; }) {
				    line += ": " + concrete.error.message + " " + concrete.error.lost_worker;
			    }
		    },
		    event);
		Trace(line);
	}
	referee.Before(event, DriverTime());
	auto actions = scheduler.Handle(event, DriverTime());
	referee.After(actions, scheduler, DriverTime());
	for (auto &action : actions) {
		std::visit([this](const auto &concrete) { Do(concrete); }, action);
	}
}

void Simulation::Do(const action::StartTask &action) {
	Trace("  < start " + ToString(action.task) + " attempt " + std::to_string(action.attempt) + " at " + action.worker);
	Assignment assignment;
	assignment.task = action.task;
	assignment.attempt = action.attempt;
	assignment.worker = worker_numbers.at(action.worker);
	assignment.life = workers[assignment.worker].life;
	for (auto input : scenario.stages[action.task.stage].inputs) {
		assignment.inputs.push_back(OutputsOf(input));
	}
	workers[assignment.worker].calls.insert({action.task, action.attempt});
	if (random.Chance(scenario.lose_message)) {
		BreakCall(assignment, 10000);
		return;
	}
	After(MessageDelay(), [this, assignment] { Receive(assignment); });
	if (random.Chance(scenario.double_message)) {
		After(MessageDelay(), [this, assignment] { Receive(assignment); });
	}
}

void Simulation::Do(const action::CancelAttempt &action) {
	// The worker may go on: what it reports must be ignored anyway
	Trace("  < cancel " + ToString(action.task) + " attempt " + std::to_string(action.attempt) + " at " +
	      action.worker);
}

void Simulation::Do(const action::ResolveTaskCount &action) {
	Trace("  < size " + std::to_string(action.stage));
	// encoding a stage takes a while, in which anything may happen
	auto delay = random.Chance(0.5) ? 0 : random.Between(0, 500);
	After(delay, [this, stage = action.stage] { AnswerTaskCount(stage); });
}

void Simulation::AnswerTaskCount(StageId stage) {
	auto merged = scenario.merged.find(stage);
	if (merged == scenario.merged.end()) {
		Deliver(event::StageSized {stage, scenario.stages[stage].task_count, {}});
	} else {
		MergeStage(scenario.stages, stage, merged->second);
		Deliver(event::StageMerged {stage, merged->second});
	}
	if (random.Chance(scenario.double_message)) {
		Deliver(event::StageSized {stage, 1, {}});
	}
}

void Simulation::Do(const action::TaskReady &action) {
	Trace("  < ready " + ToString(action.task) + " attempt " + std::to_string(action.attempt) + " at " + action.worker);
	auto worker = worker_numbers.at(action.worker);
	After(random.Between(0, 3000), [this, action, worker] { ReadOutput(action.task, action.attempt, worker); });
}

void Simulation::Do(const action::QueryFinished &) {
	ended_at = now;
	Trace("  < finished");
}

void Simulation::Do(const action::QueryFailed &action) {
	ended_at = now;
	Trace("  < failed: " + action.error.message);
}

void Simulation::Do(const action::SetTimer &action) {
	timer_at = action.at_ms;
	ArmTimer();
}

void Simulation::ArmTimer() {
	auto wait = timer_at > DriverTime() ? timer_at - DriverTime() : 0;
	if (random.Chance(scenario.early_timer)) {
		wait /= 2;
	}
	auto number = ++timer_number;
	After(wait, [this, number] {
		if (number == timer_number) {
			Deliver(event::TimerFired {});
		}
	});
}

Simulation::Outputs Simulation::OutputsOf(StageId stage) {
	auto &cached = output_cache[stage];
	auto version = scheduler.StageOutputsVersion(stage);
	if (!cached.second || cached.first != version) {
		cached.first = version;
		cached.second = std::make_shared<const std::vector<TaskOutput>>(scheduler.StageOutputs(stage));
	}
	return cached.second;
}

void Simulation::ReadOutput(TaskKey task, Attempt attempt, size_t number) {
	auto &worker = workers[number];
	auto output = worker.outputs.find({task, attempt});
	if (!worker.alive || output == worker.outputs.end() || random.Chance(scenario.false_lost_input)) {
		Trace("session cannot read " + ToString(task) + " at " + worker.id);
		TaskError error;
		error.kind = ErrorKind::WORKER_FAILURE;
		error.message = "not readable";
		error.worker_id = worker.id;
		event::TaskOutputLost lost {task, attempt, worker.id, error};
		After(random.Between(0, 20), [this, lost] { Deliver(lost); });
		return;
	}
	consumed.emplace(task, output->second);
	After(random.Between(0, 20), [this, task] { Deliver(event::TaskOutputConsumed {task}); });
}

void Simulation::Trace(const std::string &line) const {
	if (trace) {
		std::cerr << now << " " << line << "\n";
	}
}

const std::string &Simulation::Violation() const {
	return referee.Violation();
}

bool Simulation::Succeeded() const {
	return referee.Ended() && !referee.Failed();
}

const TaskError &Simulation::Error() const {
	return referee.Error();
}

SchedulerStats Simulation::Stats() const {
	return scheduler.Stats();
}

TimeMs Simulation::EndedAt() const {
	return ended_at;
}

} // namespace duckherder::sim
