#include "test_scheduler_harness.hpp"

//! Slow tasks: a second attempt elsewhere, of which the first result counts.
namespace duckherder {

using Harness = SchedulerHarness;

static constexpr uint64_t MEDIAN_MS = 10 * limits::STRAGGLER_MIN_MS;

static SchedulerConfig Speculating() {
	SchedulerConfig config;
	config.speculate = true;
	return config;
}

//! Three tasks at a, b and c, of which two are done after MEDIAN_MS; 0.0 still runs at a
static void RunTwoOfThree(Harness &harness, uint32_t workers = 3) {
	harness.Start(workers);
	ASSERT_EQ(harness.Where({0, 0}), "a");
	harness.now += MEDIAN_MS;
	harness.Succeed({0, 1});
	harness.Succeed({0, 2});
}

//! The same, later: it runs at b as well
static void RunBoth(Harness &harness) {
	RunTwoOfThree(harness);
	harness.FireTimer();
	auto starts = harness.Starts();
	ASSERT_EQ(starts.size(), 1U);
	EXPECT_TRUE(starts[0].speculative);
	EXPECT_EQ(starts[0].task, (TaskKey {0, 0}));
	EXPECT_EQ(starts[0].attempt, 1U);
	ASSERT_EQ(starts[0].worker, "b");
}

TEST(SchedulerSpeculation, ASlowTaskRunsTwiceWhenItHasRunForTwiceTheMedian) {
	Harness harness({Harness::MakeStage(0, 3)}, Speculating());
	auto begin = harness.now;
	RunTwoOfThree(harness);
	EXPECT_TRUE(harness.Starts().empty());
	auto timers = harness.Of<action::SetTimer>();
	ASSERT_EQ(timers.size(), 1U);
	EXPECT_EQ(timers[0].at_ms, begin + limits::STRAGGLER_FACTOR * MEDIAN_MS);
	harness.FireTimer();
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_EQ(harness.scheduler.Stats().speculative_attempts, 1U);
	EXPECT_EQ(harness.scheduler.Stats().retries, 0U);
	EXPECT_TRUE(harness.scheduler.Task({0, 0}).speculated);
	// once is enough
	harness.now += 100 * MEDIAN_MS;
	harness.Do(event::TimerFired {});
	EXPECT_TRUE(harness.Starts().empty());
}

TEST(SchedulerSpeculation, AShortTaskIsNotSlow) {
	Harness harness({Harness::MakeStage(0, 3)}, Speculating());
	auto begin = harness.now;
	harness.Start(3);
	harness.Succeed({0, 1});
	harness.Succeed({0, 2});
	auto timers = harness.Of<action::SetTimer>();
	ASSERT_EQ(timers.size(), 1U);
	EXPECT_EQ(timers[0].at_ms, begin + limits::STRAGGLER_MIN_MS);
}

TEST(SchedulerSpeculation, TheSecondWinsAndTheFirstIsCancelled) {
	Harness harness({Harness::MakeStage(0, 3)}, Speculating());
	RunBoth(harness);
	harness.Succeed({0, 0}, 1, "b");
	auto cancelled = harness.Of<action::CancelAttempt>();
	ASSERT_EQ(cancelled.size(), 1U);
	EXPECT_EQ(cancelled[0].attempt, 0U);
	EXPECT_EQ(cancelled[0].worker, "a");
	auto ready = harness.Of<action::TaskReady>();
	ASSERT_EQ(ready.size(), 1U);
	EXPECT_EQ(ready[0].attempt, 1U);
	EXPECT_EQ(ready[0].worker, "b");
	EXPECT_EQ(harness.scheduler.Stats().speculative_won, 1U);
	// too late
	harness.Succeed({0, 0}, 0, "a");
	EXPECT_TRUE(harness.last.empty());
	EXPECT_EQ(harness.scheduler.Stats().stale_results, 1U);
	EXPECT_EQ(harness.scheduler.StageOutputs(0).at(0).attempt, 1U);
	EXPECT_EQ(harness.scheduler.StageOutputs(0).at(0).worker, "b");
	EXPECT_EQ(harness.scheduler.Stats().done_tasks, 3U);
	EXPECT_EQ(harness.scheduler.Stats().running_tasks, 0U);
}

TEST(SchedulerSpeculation, TheFirstWinsAndTheSecondIsCancelled) {
	Harness harness({Harness::MakeStage(0, 3)}, Speculating());
	RunBoth(harness);
	harness.Succeed({0, 0}, 0, "a");
	auto cancelled = harness.Of<action::CancelAttempt>();
	ASSERT_EQ(cancelled.size(), 1U);
	EXPECT_EQ(cancelled[0].attempt, 1U);
	EXPECT_EQ(cancelled[0].worker, "b");
	EXPECT_EQ(harness.scheduler.StageOutputs(0).at(0).attempt, 0U);
	harness.Do(event::TaskFailed {{0, 0}, 1, "b", Harness::Error(ErrorKind::USER)});
	EXPECT_TRUE(harness.last.empty());
}

TEST(SchedulerSpeculation, OneOfTwoMayFail) {
	for (Attempt failing : {0, 1}) {
		SchedulerConfig config = Speculating();
		config.task_retries = 0;
		Harness harness({Harness::MakeStage(0, 3)}, config);
		RunBoth(harness);
		harness.Do(
		    event::TaskFailed {{0, 0}, failing, failing == 0 ? "a" : "b", Harness::Error(ErrorKind::WORKER_FAILURE)});
		EXPECT_EQ(harness.Failure().message, "");
		EXPECT_EQ(harness.State({0, 0}), TaskState::RUNNING);
		EXPECT_EQ(harness.Where({0, 0}), failing == 0 ? "b" : "a");
		harness.Succeed({0, 0});
		EXPECT_EQ(harness.scheduler.Stats().done_tasks, 3U);
	}
}

TEST(SchedulerSpeculation, ASpeculativeAttemptTakesNothingFromTheRetries) {
	SchedulerConfig config = Speculating();
	config.task_retries = 1;
	Harness harness({Harness::MakeStage(0, 3)}, config);
	RunBoth(harness);
	harness.Do(event::TaskFailed {{0, 0}, 0, "a", Harness::Error(ErrorKind::WORKER_FAILURE)});
	harness.Do(event::TaskFailed {{0, 0}, 1, "b", Harness::Error(ErrorKind::WORKER_FAILURE)});
	EXPECT_EQ(harness.State({0, 0}), TaskState::QUEUED);
	harness.FireTimer();
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_FALSE(harness.Starts()[0].speculative);
	EXPECT_EQ(harness.Where({0, 0}), "c");
	EXPECT_EQ(harness.scheduler.Stats().retries, 1U);
	harness.Fail({0, 0}, Harness::Error(ErrorKind::WORKER_FAILURE));
	EXPECT_NE(harness.Failure().message, "");
}

TEST(SchedulerSpeculation, TheUsersErrorEndsBoth) {
	Harness harness({Harness::MakeStage(0, 3)}, Speculating());
	RunBoth(harness);
	harness.Do(event::TaskFailed {{0, 0}, 1, "b", Harness::Error(ErrorKind::USER, "division by zero")});
	EXPECT_EQ(harness.Failure().message, "division by zero");
	ASSERT_EQ(harness.Of<action::CancelAttempt>().size(), 1U);
	EXPECT_EQ(harness.Of<action::CancelAttempt>()[0].attempt, 0U);
	EXPECT_EQ(harness.scheduler.Stats().running_tasks, 0U);
}

TEST(SchedulerSpeculation, CancelEndsBoth) {
	Harness harness({Harness::MakeStage(0, 3)}, Speculating());
	RunBoth(harness);
	harness.Do(event::Cancel {});
	EXPECT_EQ(harness.Of<action::CancelAttempt>().size(), 2U);
	EXPECT_EQ(harness.scheduler.Stats().running_tasks, 0U);
}

TEST(SchedulerSpeculation, ALostWorkerTakesOneOfTwo) {
	for (const auto *lost : {"a", "b"}) {
		Harness harness({Harness::MakeStage(0, 3)}, Speculating());
		RunBoth(harness);
		harness.Do(event::WorkerLost {lost, ""});
		EXPECT_EQ(harness.State({0, 0}), TaskState::RUNNING);
		EXPECT_NE(harness.Where({0, 0}), lost);
		EXPECT_EQ(harness.scheduler.Stats().retries, std::string(lost) == "b" ? 1U : 0U)
		    << "b held the output of another task";
	}
}

TEST(SchedulerSpeculation, WhatWaitsGoesFirst) {
	Harness harness({Harness::MakeStage(0, 4)}, Speculating());
	harness.Start(2);
	harness.now += MEDIAN_MS;
	harness.Succeed({0, 1});
	harness.now += 10 * MEDIAN_MS;
	harness.Succeed({0, 2});
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_FALSE(harness.Starts()[0].speculative);
	harness.Succeed({0, 3});
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_TRUE(harness.Starts()[0].speculative);
}

TEST(SchedulerSpeculation, NotWhereItRunsOrFailed) {
	Harness harness({Harness::MakeStage(0, 3)}, Speculating());
	harness.Start(3, 2);
	harness.Fail({0, 0}, Harness::Error(ErrorKind::WORKER_FAILURE));
	harness.FireTimer();
	ASSERT_EQ(harness.Where({0, 0}), "b");
	harness.Do(event::WorkerDraining {"c"});
	harness.now += MEDIAN_MS;
	harness.Succeed({0, 1});
	harness.Succeed({0, 2});
	harness.now += 10 * MEDIAN_MS;
	harness.Do(event::TimerFired {});
	EXPECT_TRUE(harness.Starts().empty());
	harness.Join("d");
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_EQ(harness.Starts()[0].worker, "d");
}

TEST(SchedulerSpeculation, SomeTasksHaveNoSpeculativeAttempts) {
	auto unrepeatable = Harness::MakeStage(0, 3);
	unrepeatable.repeatable = false;
	auto fed = Harness::MakeStage(0, 3);
	fed.may_speculate = false;
	std::vector<std::pair<SchedulerStage, SchedulerConfig>> cases = {
	    {unrepeatable, Speculating()}, {fed, Speculating()}, {Harness::MakeStage(0, 3), SchedulerConfig()}};
	for (auto &one : cases) {
		Harness harness({one.first}, one.second);
		RunTwoOfThree(harness);
		EXPECT_TRUE(harness.Of<action::SetTimer>().empty());
		harness.now += 10 * MEDIAN_MS;
		harness.Do(event::TimerFired {});
		EXPECT_TRUE(harness.Starts().empty());
	}
}

TEST(SchedulerSpeculation, TooFewAreDoneToTell) {
	Harness harness({Harness::MakeStage(0, 5)}, Speculating());
	harness.Start(5);
	harness.now += MEDIAN_MS;
	harness.Succeed({0, 1});
	harness.Succeed({0, 2});
	EXPECT_TRUE(harness.Of<action::SetTimer>().empty());
	harness.Succeed({0, 3});
	EXPECT_EQ(harness.Of<action::SetTimer>().size(), 1U);
}

TEST(RunningMedian, OfWhatCame) {
	RunningMedian median;
	EXPECT_EQ(median.Get(), 0U);
	std::vector<std::pair<uint64_t, uint64_t>> steps = {{7, 7},  {1, 1}, {9, 7}, {8, 7},
	                                                    {10, 8}, {0, 7}, {0, 7}, {0, 1}};
	for (auto &step : steps) {
		median.Add(step.first);
		EXPECT_EQ(median.Get(), step.second);
	}
}

} // namespace duckherder
