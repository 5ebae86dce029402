#include "sim/simulation.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

//! DUCKHERDER_SIM_SEEDS=n runs the seeds 1 to n; DUCKHERDER_SIM_SEED=n runs that one and prints what happens.
namespace duckherder::sim {

static uint64_t FromEnvironment(const char *name, uint64_t otherwise) {
	auto value = std::getenv(name);
	return value && *value ? std::strtoull(value, nullptr, 10) : otherwise;
}

TEST(SchedulerSimulation, EverySeedKeepsTheContract) {
	auto replayed = FromEnvironment("DUCKHERDER_SIM_SEED", 0);
	auto first = replayed ? replayed : 1;
	auto last = replayed ? replayed : FromEnvironment("DUCKHERDER_SIM_SEEDS", 2000);
	uint64_t succeeded = 0;
	uint64_t retries = 0;
	uint64_t speculative_attempts = 0;
	uint64_t speculative_won = 0;
	uint64_t outputs_lost = 0;
	uint64_t ignored = 0;
	TimeMs longest = 0;
	for (auto seed = first; seed <= last; seed++) {
		Simulation simulation(MakeScenario(seed), replayed != 0);
		simulation.Run();
		EXPECT_EQ(simulation.Violation(), "") << "replay with DUCKHERDER_SIM_SEED=" << seed;
		auto stats = simulation.Stats();
		succeeded += simulation.Succeeded() ? 1 : 0;
		retries += stats.retries;
		speculative_attempts += stats.speculative_attempts;
		speculative_won += stats.speculative_won;
		outputs_lost += stats.outputs_lost;
		ignored += stats.stale_results + stats.duplicate_results + stats.late_results;
		longest = std::max(longest, simulation.EndedAt());
	}
	std::cout << last - first + 1 << " queries, " << succeeded << " succeeded; " << retries << " retries, "
	          << speculative_attempts << " speculative attempts, " << speculative_won << " of them won, "
	          << outputs_lost << " outputs lost, " << ignored << " results ignored; the longest took " << longest / 1000
	          << " virtual seconds\n";
	// A simulator without faults would prove nothing
	if (!replayed && last >= 1000) {
		EXPECT_GT(succeeded, last / 2);
		EXPECT_LT(succeeded, last);
		EXPECT_GT(retries, last);
		EXPECT_GT(speculative_attempts, last / 10);
		EXPECT_GT(speculative_won, last / 50);
		EXPECT_GT(outputs_lost, last / 10);
		EXPECT_GT(ignored, last);
	}
}

TEST(SchedulerSimulation, TheSameSeedRunsTheSameWay) {
	for (uint64_t seed = 1; seed <= 20; seed++) {
		Simulation first(MakeScenario(seed), false);
		Simulation second(MakeScenario(seed), false);
		first.Run();
		second.Run();
		EXPECT_EQ(first.EndedAt(), second.EndedAt());
		EXPECT_EQ(first.Stats().attempts_started, second.Stats().attempts_started);
		EXPECT_EQ(first.Error().message, second.Error().message);
	}
}

class BigSimulation : public ::testing::TestWithParam<bool> {};

TEST_P(BigSimulation, AThousandWorkersAndAHundredThousandTasks) {
	auto begin = std::chrono::steady_clock::now();
	Simulation simulation(MakeBigScenario(1, GetParam()), false);
	simulation.Run();
	auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
	EXPECT_EQ(simulation.Violation(), "");
	EXPECT_TRUE(simulation.Succeeded());
	auto stats = simulation.Stats();
	std::cout << stats.total_tasks << " tasks, " << stats.retries << " retries, " << stats.speculative_attempts
	          << " speculative attempts, " << stats.outputs_lost << " outputs lost; " << simulation.EndedAt() / 1000
	          << " virtual seconds in " << took << " s\n";
	// Generous, since other programs share the machine: a decision that looks at every task would take minutes
	EXPECT_LT(took, 60);
}

INSTANTIATE_TEST_SUITE_P(SchedulerSimulation, BigSimulation, ::testing::Bool(), [](const auto &info) {
	return info.param ? std::string("WithFaults") : std::string("WithoutFaults");
});

} // namespace duckherder::sim
