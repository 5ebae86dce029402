#include "sim/simulation.hpp"

#include <algorithm>

//! Workers and the network between them and the driver.
namespace duckherder::sim {

static constexpr TimeMs FAULTS_UNTIL_MS = 120000;

static TaskError MakeError(ErrorKind kind, const std::string &message, const WorkerId &lost_worker = "") {
	TaskError error;
	error.kind = kind;
	error.exception_type = "IO";
	error.message = message;
	error.lost_worker = lost_worker;
	return error;
}

void Simulation::PlanFaults() {
	for (size_t i = 0; i < workers.size(); i++) {
		auto &plan = workers[i].plan;
		After(plan.joins_at, [this, i] { Join(i); });
		if (plan.stable) {
			continue;
		}
		// Most things happen while most queries run
		auto horizon = random.Chance(0.7) ? FAULTS_UNTIL_MS / 10 : FAULTS_UNTIL_MS;
		if (random.Chance(scenario.die)) {
			After(plan.joins_at + random.Between(0, horizon), [this, i] { Die(i); });
		}
		if (random.Chance(scenario.partition)) {
			After(plan.joins_at + random.Between(0, horizon), [this, i] { Partition(i); });
		}
		if (random.Chance(scenario.drain)) {
			After(plan.joins_at + random.Between(0, horizon), [this, i] { Drain(i); });
		}
	}
	for (uint32_t i = 0; i < scenario.clock_jumps; i++) {
		After(random.Between(0, 20000), [this] {
			clock_skew += static_cast<int64_t>(random.Between(0, 8000)) - 3000;
			Trace("the driver's clock jumps");
			Deliver(event::TimerFired {});
		});
	}
	if (scenario.cancel_at > 0) {
		After(scenario.cancel_at, [this] { Deliver(event::Cancel {}); });
	}
	if (scenario.enough_at > 0) {
		After(scenario.enough_at, [this] { Deliver(event::QueryConsumed {}); });
	}
}

void Simulation::Join(size_t number) {
	auto &worker = workers[number];
	worker.alive = true;
	worker.member = true;
	worker.draining = false;
	Deliver(event::WorkerJoined {worker.id, worker.plan.slots});
}

void Simulation::Die(size_t number) {
	auto &worker = workers[number];
	if (!worker.alive) {
		return;
	}
	Trace(worker.id + " dies");
	worker.alive = false;
	worker.outputs.clear();
	auto calls = worker.calls;
	for (auto &call : calls) {
		if (random.Chance(0.5)) {
			BreakCall(Assignment {call.first, call.second, number, worker.life, {}}, random.Between(0, 200));
		}
	}
	auto life = ++worker.life;
	auto lost = [this, number, life] {
		auto &dead = workers[number];
		if (dead.member && dead.life == life) {
			dead.member = false;
			Deliver(event::WorkerLost {dead.id, "no heartbeat"});
		}
	};
	After(random.Between(10, 5000), lost);
	if (random.Chance(scenario.come_back)) {
		After(random.Between(10, 30000), [this, number, lost] {
			// A restarted worker registers anew: the driver notices the loss at the latest now
			lost();
			Join(number);
		});
	}
}

void Simulation::Partition(size_t number) {
	auto &worker = workers[number];
	if (!worker.alive || !worker.member) {
		return;
	}
	Trace(worker.id + " is cut off");
	worker.member = false;
	Deliver(event::WorkerLost {worker.id, "cut off"});
	auto life = worker.life;
	After(random.Between(1, 20000), [this, number, life] {
		if (workers[number].alive && workers[number].life == life) {
			Join(number);
		}
	});
}

void Simulation::Drain(size_t number) {
	if (!workers[number].alive || !workers[number].member) {
		return;
	}
	workers[number].draining = true;
	// at first only the worker itself knows, and refuses what comes
	auto life = workers[number].life;
	After(random.Between(0, 1000), [this, number, life] {
		if (workers[number].life == life) {
			Deliver(event::WorkerDraining {workers[number].id});
		}
	});
	After(random.Between(0, 30000), [this, number] { Die(number); });
}

TimeMs Simulation::MessageDelay() {
	return random.Chance(scenario.slow_message) ? random.Between(100, 8000) : random.Between(0, 3);
}

bool Simulation::Lives(const Assignment &assignment) const {
	auto &worker = workers[assignment.worker];
	return worker.alive && worker.life == assignment.life;
}

void Simulation::BreakCall(const Assignment &assignment, TimeMs delay, ErrorKind kind) {
	After(delay, [this, assignment, kind] {
		auto &worker = workers[assignment.worker];
		if (worker.calls.erase({assignment.task, assignment.attempt}) > 0) {
			Suspect(assignment.worker);
			Fail(assignment, MakeError(kind, "the call broke"));
		}
	});
}

void Simulation::Fail(const Assignment &assignment, const TaskError &error) {
	Deliver(event::TaskFailed {assignment.task, assignment.attempt, workers[assignment.worker].id, error});
}

void Simulation::Suspect(size_t number) {
	auto &worker = workers[number];
	if (random.Chance(0.2)) {
		// the event after the failure, or never
		return;
	}
	Deliver(event::WorkerDraining {worker.id});
	auto life = worker.life;
	// it is asked often enough: a query with no other worker does not give up for that
	auto answer_ms = std::min<TimeMs>(1000, scenario.config.no_worker_timeout_ms / 2);
	After(random.Between(0, answer_ms), [this, number, life] {
		auto &asked = workers[number];
		if (asked.alive && asked.member && asked.life == life && !asked.draining) {
			Deliver(event::WorkerJoined {asked.id, asked.plan.slots});
		}
	});
}

void Simulation::BreakDatabase(const Assignment &assignment) {
	auto number = assignment.worker;
	auto &worker = workers[number];
	Trace(worker.id + " has a broken database");
	worker.outputs.clear();
	auto calls = worker.calls;
	auto life = ++worker.life;
	worker.alive = false;
	After(MessageDelay(), [this, assignment, number, life, calls] {
		auto &broken = workers[number];
		for (auto &call : calls) {
			auto victim = Assignment {call.first, call.second, number, life, {}};
			auto error = MakeError(ErrorKind::BROKEN, "the database is invalid");
			error.breaks_worker = call.first == assignment.task && call.second == assignment.attempt;
			broken.calls.erase(call);
			if (broken.member && broken.life == life) {
				Fail(victim, error);
			}
		}
		if (broken.member && broken.life == life) {
			broken.member = false;
			Deliver(event::WorkerLost {broken.id, "its database is invalid"});
		}
		After(random.Between(0, 2000), [this, number, life] {
			if (workers[number].life == life && !workers[number].alive) {
				Join(number);
			}
		});
	});
}

void Simulation::Receive(const Assignment &assignment) {
	if (!Lives(assignment)) {
		BreakCall(assignment, random.Between(0, 3000), ErrorKind::UNREACHABLE);
		return;
	}
	auto &worker = workers[assignment.worker];
	auto fail = [&](const TaskError &error) {
		Report(assignment, event::TaskFailed {assignment.task, assignment.attempt, worker.id, error});
	};
	if (scenario.user_error && assignment.task == scenario.user_error_task) {
		fail(MakeError(ErrorKind::USER, "division by zero"));
		return;
	}
	if (worker.draining) {
		fail(MakeError(ErrorKind::DRAINING, "draining"));
		return;
	}
	if (!worker.plan.stable && random.Chance(scenario.break_database)) {
		BreakDatabase(assignment);
		return;
	}
	if (worker.plan.bad || random.Chance(scenario.fail_place)) {
		fail(MakeError(ErrorKind::WORKER_FAILURE, "disk full"));
		return;
	}
	WorkerId lost;
	auto content = ReadInputs(assignment, lost);
	if (!content) {
		fail(MakeError(random.Chance(0.3) ? ErrorKind::WORKER_FAILURE : ErrorKind::LOST_INPUT, "cannot read from",
		               lost));
		return;
	}
	auto duration = random.Between(1, 2000) * (random.Chance(scenario.slow_task) ? 20 : 1);
	After(duration, [this, assignment, content] { Finish(assignment, content); });
}

void Simulation::Finish(const Assignment &assignment, ContentPtr content) {
	if (!Lives(assignment)) {
		return;
	}
	auto &worker = workers[assignment.worker];
	worker.outputs[{assignment.task, assignment.attempt}] = content;
	Report(assignment, event::TaskSucceeded {assignment.task, assignment.attempt, worker.id});
}

void Simulation::Report(const Assignment &assignment, const SchedulerEvent &result) {
	if (random.Chance(scenario.lose_message)) {
		BreakCall(assignment, 10000);
		return;
	}
	auto deliver = [this, assignment, result] {
		workers[assignment.worker].calls.erase({assignment.task, assignment.attempt});
		Deliver(result);
	};
	After(MessageDelay(), deliver);
	if (random.Chance(scenario.double_message)) {
		After(MessageDelay(), deliver);
	}
}

Simulation::ContentPtr Simulation::ReadInputs(const Assignment &assignment, WorkerId &lost) {
	Content inputs;
	auto &stages = scenario.stages[assignment.task.stage].inputs;
	for (size_t i = 0; i < stages.size(); i++) {
		auto &outputs = *assignment.inputs[i];
		if (outputs.size() != scenario.stages[stages[i]].task_count) {
			referee.Blame("a task was given only some of its inputs: " + ToString(assignment.task));
		}
		// In big scenarios a sample: all-to-all would take longer than everything else
		auto step = scenario.thorough ? 1 : outputs.size() / 8 + 1;
		for (size_t j = scenario.thorough ? 0 : random.Between(0, step - 1); j < outputs.size(); j += step) {
			auto &holder = workers[worker_numbers.at(outputs[j].worker)];
			auto found = holder.outputs.find({TaskKey {stages[i], outputs[j].task}, outputs[j].attempt});
			auto falsely = !holder.plan.stable && random.Chance(scenario.false_lost_input);
			if (found == holder.outputs.end() || falsely) {
				lost = holder.id;
				return nullptr;
			}
			if (!Merge(*found->second, inputs)) {
				referee.Blame("a task read two versions of rows that cannot be made again");
			}
			inputs.hash = scenario.thorough ? inputs.hash * 31 + found->second->hash : 0;
		}
	}
	return MakeContent(assignment.task, assignment.attempt, inputs);
}

Simulation::ContentPtr Simulation::MakeContent(TaskKey task, Attempt attempt, const Content &inputs) const {
	auto content = std::make_shared<Content>(inputs);
	content->hash = inputs.hash * 31 + task.stage + 1;
	if (!scenario.stages[task.stage].repeatable) {
		content->versions[task] = attempt;
	}
	return content;
}

bool Simulation::Merge(const Content &from, Content &into) const {
	for (auto &version : from.versions) {
		auto known = into.versions.emplace(version.first, version.second).first;
		if (known->second != version.second) {
			return false;
		}
	}
	return true;
}

uint64_t Simulation::ExpectedHash(StageId stage) {
	uint64_t inputs = 0;
	for (auto input : scenario.stages[stage].inputs) {
		auto hash = scenario.thorough ? ExpectedHash(input) : 0;
		for (TaskId task = 0; scenario.thorough && task < scenario.stages[input].task_count; task++) {
			inputs = inputs * 31 + hash;
		}
	}
	return inputs * 31 + stage + 1;
}

} // namespace duckherder::sim
