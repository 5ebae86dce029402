#pragma once

#include "scheduler/query_scheduler.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace duckherder::sim {

//! Judges a scheduler by its events and actions alone: keeps its own, naive account of who runs and holds what, and
//! notes the first thing that breaks the contract.
class Referee {
public:
	Referee(const std::vector<SchedulerStage> &stages, const SchedulerConfig &config, bool thorough);

	//! What the event must do to the account
	void Before(const SchedulerEvent &event, TimeMs now);
	//! Whether the actions are allowed, and the scheduler's account is the same
	void After(const SchedulerActions &actions, const QueryScheduler &scheduler, TimeMs now);
	//! For others who find something
	void Blame(const std::string &what);

	bool Ended() const;
	bool Failed() const;
	const TaskError &Error() const;
	//! Empty if all is well
	const std::string &Violation() const;

private:
	struct Run {
		Attempt attempt = 0;
		WorkerId worker;
		//! In numbers of starts and outputs
		uint64_t started = 0;
		TimeMs started_at = 0;
	};
	struct Task {
		uint32_t attempts = 0;
		uint32_t speculative_attempts = 0;
		//! Failures that say nothing against the task, and when the first of them was
		uint32_t forgiven = 0;
		std::optional<TimeMs> first_forgiven;
		//! Those that run; two if one is speculative
		std::vector<Run> runs;
		//! Who made the output that counts
		Attempt made_by = 0;
		WorkerId holder;
		//! Has succeeded at least once
		bool done = false;
		bool has_output = false;
		uint64_t output_made = 0;
		bool announced = false;
		bool consumed = false;
		//! Since when it could have run again
		TimeMs waiting_since = 0;
		std::set<WorkerId> failed_at;

		bool Running() const {
			return !runs.empty();
		}
		uint32_t Counted() const {
			return attempts - speculative_attempts - forgiven;
		}
		//! All that were not speculative have been used up
		bool Exhausted(const SchedulerConfig &config) const {
			return runs.empty() && Counted() > config.task_retries;
		}
	};
	struct StageAccount {
		std::vector<StageId> consumers;
		std::vector<Task> tasks;
		uint32_t available = 0;
		uint32_t done = 0;
		bool sized = true;
		bool asked_for_size = false;
		//! Each task has succeeded once
		bool was_complete = false;
		//! Tasks never started; their number tells whether a slot idles
		uint32_t untouched = 0;
		//! Tasks that failed and wait
		std::set<TaskId> retrying;
		//! Of all attempts that succeeded
		std::vector<TimeMs> durations;
	};
	struct Worker {
		bool present = false;
		bool active = false;
		uint32_t slots = 0;
		std::set<TaskKey> running;
		std::set<TaskKey> outputs;
	};

	void Apply(const event::Start &event);
	void Apply(const event::WorkerJoined &event);
	void Apply(const event::WorkerLost &event);
	void Apply(const event::WorkerDraining &event);
	void Apply(const event::TaskSucceeded &event);
	void Apply(const event::TaskFailed &event);
	void Apply(const event::StageSized &event);
	void Apply(const event::StageMerged &event);
	void Apply(const event::TaskOutputConsumed &event);
	void Apply(const event::TaskOutputLost &event);
	void Apply(const event::QueryConsumed &event);
	void Apply(const event::Cancel &event);
	void Apply(const event::TimerFired &event);

	void Check(const action::StartTask &action, const QueryScheduler &scheduler);
	void Check(const action::CancelAttempt &action, const QueryScheduler &scheduler);
	void Check(const action::ResolveTaskCount &action, const QueryScheduler &scheduler);
	void Check(const action::TaskReady &action, const QueryScheduler &scheduler);
	void Check(const action::QueryFinished &action, const QueryScheduler &scheduler);
	void Check(const action::QueryFailed &action, const QueryScheduler &scheduler);
	void Check(const action::SetTimer &action, const QueryScheduler &scheduler);
	void CheckPlace(const action::StartTask &action, const Task &task);
	void CheckSpeculative(const action::StartTask &action, const Task &task);
	//! When a task of the stage counts as slow; 0 if that cannot be told
	TimeMs SlowAfter(StageId stage) const;
	void CheckStragglers(const std::vector<WorkerId> &idle);
	void CheckIdleSlots();
	void CheckRetrying(const StageAccount &account, const std::vector<WorkerId> &idle);
	void CheckCounts(const QueryScheduler &scheduler);
	void CheckState(const QueryScheduler &scheduler);

	//! The attempt runs no more. Nothing if it did not run
	std::optional<Run> Accept(TaskKey key, Attempt attempt, const WorkerId &worker);
	void Forgive(Task &task, const TaskError &failure) const;
	void LoseOutput(TaskKey key, bool avoid);
	bool InputsAvailable(StageId stage) const;
	//! Those that it does not read, but waits for
	bool StagesBeforeDone(StageId stage) const;
	void CheckSizes();
	void FindConsumers();
	bool IsGather(StageId stage) const;
	Task &At(TaskKey key);
	void Require(bool condition, const std::string &what);

	std::vector<SchedulerStage> stages;
	const SchedulerConfig config;
	const bool thorough;
	std::vector<StageAccount> accounts;
	std::map<WorkerId, Worker> workers;
	//! The event in hand
	TimeMs now = 0;
	bool ready_expected = false;
	TaskKey ready_task;
	bool user_failed = false;
	bool exhausted = false;
	bool output_lost = false;
	uint32_t broken_workers = 0;

	uint64_t sequence = 0;
	uint64_t events = 0;
	uint32_t running = 0;
	uint32_t done = 0;
	bool started = false;
	bool enough = false;
	bool cancelled = false;
	bool ended = false;
	bool failed = false;
	TaskError error;
	std::string violation;
};

std::string ToString(TaskKey key);

} // namespace duckherder::sim
