#pragma once

#include "scheduler/query_scheduler.hpp"
#include "sim/referee.hpp"
#include "sim/scenario.hpp"

#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <vector>

namespace duckherder::sim {

//! One query in a simulated cluster: a network that loses, doubles and delays, workers that die and come back, a driver
//! whose clock jumps, a session that reads. Its own event queue and virtual time; the same scenario runs the same way.
class Simulation {
public:
	//! `trace` prints every event and action
	Simulation(Scenario scenario, bool trace);

	//! To the end of the query and of all messages still under way
	void Run();

	//! The first broken rule; empty if all is well
	const std::string &Violation() const;
	bool Succeeded() const;
	const TaskError &Error() const;
	SchedulerStats Stats() const;
	//! Virtual time at which the query ended
	TimeMs EndedAt() const;

private:
	//! What a task's rows depend on: a number for its input rows, and which attempts of unrepeatable tasks made them
	struct Content {
		uint64_t hash = 0;
		std::map<TaskKey, Attempt> versions;
	};
	using ContentPtr = std::shared_ptr<const Content>;
	using Outputs = std::shared_ptr<const std::vector<TaskOutput>>;

	struct Assignment {
		TaskKey task;
		Attempt attempt = 0;
		size_t worker = 0;
		uint32_t life = 0;
		std::vector<Outputs> inputs;
	};
	struct Worker {
		WorkerPlan plan;
		WorkerId id;
		bool alive = false;
		//! Counts its restarts
		uint32_t life = 0;
		//! The driver knows it
		bool member = false;
		//! Takes no new tasks
		bool draining = false;
		std::map<std::pair<TaskKey, Attempt>, ContentPtr> outputs;
		//! Calls of the driver that are open
		std::set<std::pair<TaskKey, Attempt>> calls;
	};
	struct Scheduled {
		TimeMs at;
		uint64_t number;
		std::function<void()> what;
		bool operator>(const Scheduled &other) const {
			return std::tie(at, number) > std::tie(other.at, other.number);
		}
	};

	// simulation.cpp: time, the driver and the session
	void After(TimeMs delay, std::function<void()> what);
	TimeMs DriverTime() const;
	void Deliver(const SchedulerEvent &event);
	void Do(const action::StartTask &action);
	void Do(const action::CancelAttempt &action);
	void Do(const action::ResolveTaskCount &action);
	void AnswerTaskCount(StageId stage);
	void Do(const action::TaskReady &action);
	void Do(const action::QueryFinished &action);
	void Do(const action::QueryFailed &action);
	void Do(const action::SetTimer &action);
	void ArmTimer();
	Outputs OutputsOf(StageId stage);
	void ReadOutput(TaskKey task, Attempt attempt, size_t worker);
	void CheckEnd();
	void Trace(const std::string &line) const;

	// simulation_cluster.cpp: workers and the network
	void PlanFaults();
	void Join(size_t worker);
	void Die(size_t worker);
	void Partition(size_t worker);
	void Drain(size_t worker);
	void Receive(const Assignment &assignment);
	void Finish(const Assignment &assignment, ContentPtr content);
	//! Null if an input is missing: then `lost` is where
	ContentPtr ReadInputs(const Assignment &assignment, WorkerId &lost);
	void Report(const Assignment &assignment, const SchedulerEvent &result);
	void BreakCall(const Assignment &assignment, TimeMs delay, ErrorKind kind = ErrorKind::DISCONNECTED);
	void Fail(const Assignment &assignment, const TaskError &error);
	//! The driver sends nothing there until it knows more
	void Suspect(size_t worker);
	void BreakDatabase(const Assignment &assignment);
	TimeMs MessageDelay();
	bool Lives(const Assignment &assignment) const;
	ContentPtr MakeContent(TaskKey task, Attempt attempt, const Content &inputs) const;
	bool Merge(const Content &from, Content &into) const;
	uint64_t ExpectedHash(StageId stage);

	Scenario scenario;
	const bool trace;
	Random random;
	AffinityMap affinity;
	QueryScheduler scheduler;
	Referee referee;
	std::priority_queue<Scheduled, std::vector<Scheduled>, std::greater<Scheduled>> queue;
	std::vector<Worker> workers;
	std::map<WorkerId, size_t> worker_numbers;
	std::vector<std::pair<uint64_t, Outputs>> output_cache;
	std::map<TaskKey, ContentPtr> consumed;
	TimeMs now = 0;
	TimeMs ended_at = 0;
	int64_t clock_skew = 0;
	TimeMs timer_at = 0;
	uint64_t timer_number = 0;
	uint64_t scheduled = 0;
};

} // namespace duckherder::sim
