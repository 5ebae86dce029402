#pragma once

#include "scheduler/scheduler_types.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace duckherder::sim {

//! splitmix64: the same numbers on every platform, so that a seed replays everywhere
class Random {
public:
	explicit Random(uint64_t seed) : state(seed) {
	}
	uint64_t Next() {
		state += 0x9E3779B97F4A7C15ULL;
		auto value = state;
		value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
		value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
		return value ^ (value >> 31);
	}
	//! Both ends included
	uint64_t Between(uint64_t low, uint64_t high) {
		return low + Next() % (high - low + 1);
	}
	bool Chance(double probability) {
		return static_cast<double>(Next() >> 11) * 0x1.0p-53 < probability;
	}

private:
	uint64_t state;
};

//! What StageMerged does to the stages
void MergeStage(std::vector<SchedulerStage> &stages, StageId stage, StageId into);

struct WorkerPlan {
	uint32_t slots = 1;
	TimeMs joins_at = 0;
	//! Every attempt fails there
	bool bad = false;
	//! Nothing ever happens to it
	bool stable = false;
};

//! Everything that one simulated query meets, drawn from a seed. Probabilities are per message or attempt.
struct Scenario {
	uint64_t seed = 0;
	std::vector<SchedulerStage> stages;
	SchedulerConfig config;
	std::vector<WorkerPlan> workers;

	double lose_message = 0;
	double double_message = 0;
	double slow_message = 0;
	double slow_task = 0;
	double fail_place = 0;
	//! A task makes the database of its worker invalid
	double break_database = 0;
	//! A read fails and the reader blames the producer's worker, which is well
	double false_lost_input = 0;
	//! Chances per worker, within the first two minutes
	double die = 0;
	double come_back = 0;
	double partition = 0;
	double drain = 0;
	uint32_t clock_jumps = 0;
	//! A timer fires before its time
	double early_timer = 0;
	bool user_error = false;
	TaskKey user_error_task;
	//! 0 is never
	TimeMs cancel_at = 0;
	TimeMs enough_at = 0;
	//! By stage: the reader that does its work, for those that are merged when they are asked for their size
	std::map<StageId, StageId> merged;
	//! Compares the scheduler's whole state with the referee's after every event
	bool thorough = true;
	//! Nothing in this scenario excuses a failure
	bool must_succeed = false;

	uint32_t TotalTasks() const;
	std::string ToString() const;
};

//! A random graph of at most 8 stages on at most 8 workers, with no, few or many faults
Scenario MakeScenario(uint64_t seed);
//! 1,000 workers and 100,000 tasks in three stages
Scenario MakeBigScenario(uint64_t seed, bool faults);

} // namespace duckherder::sim
