#include "test_scheduler_harness.hpp"

//! Failed attempts: retried or fatal, and whose results count.
namespace duckherder {

using Harness = SchedulerHarness;

TEST(SchedulerFailures, TheUsersErrorEndsTheQueryAtOnce) {
	Harness harness({Harness::MakeStage(0, 4)});
	harness.Start(3);
	harness.Fail({0, 1}, Harness::Error(ErrorKind::USER, "division by zero"));
	EXPECT_EQ(harness.Failure().message, "division by zero");
	EXPECT_EQ(harness.Of<action::CancelAttempt>().size(), 2U);
	EXPECT_TRUE(harness.Starts().empty());
	EXPECT_TRUE(std::holds_alternative<action::QueryFailed>(harness.last.back()));
	EXPECT_EQ(harness.State({0, 1}), TaskState::FAILED);
	EXPECT_EQ(harness.State({0, 0}), TaskState::CANCELLED);
	harness.Do(event::TaskFailed {{0, 0}, 0, "a", Harness::Error(ErrorKind::USER, "another")});
	EXPECT_TRUE(harness.last.empty());
	harness.Succeed({0, 2}, 0, "c");
	EXPECT_TRUE(harness.last.empty());
	EXPECT_EQ(harness.scheduler.Stats().late_results, 2U);
}

TEST(SchedulerFailures, APlaceIsRetriedElsewhereAfterABackOff) {
	Harness harness({Harness::MakeStage(0, 1)});
	harness.Start(2);
	EXPECT_EQ(harness.Where({0, 0}), "a");
	harness.Fail({0, 0}, Harness::Error(ErrorKind::WORKER_FAILURE));
	EXPECT_TRUE(harness.Starts().empty());
	auto timer = harness.Of<action::SetTimer>();
	ASSERT_EQ(timer.size(), 1U);
	EXPECT_GE(timer[0].at_ms, 1000U + limits::RETRY_BACKOFF_MS / 2);
	EXPECT_LE(timer[0].at_ms, 1000U + limits::RETRY_BACKOFF_MS);
	harness.FireTimer();
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_EQ(harness.Starts()[0].attempt, 1U);
	EXPECT_EQ(harness.Starts()[0].worker, "b");
	EXPECT_EQ(harness.scheduler.Stats().retries, 1U);
}

TEST(SchedulerFailures, AnEarlyTimerIsSetAgain) {
	Harness harness({Harness::MakeStage(0, 1)});
	harness.Start(1);
	harness.Fail({0, 0}, Harness::Error(ErrorKind::WORKER_FAILURE));
	harness.Do(event::TimerFired {});
	EXPECT_TRUE(harness.Starts().empty());
	harness.now -= 500;
	harness.Do(event::TimerFired {});
	harness.FireTimer();
	EXPECT_EQ(harness.Starts().size(), 1U);
}

TEST(SchedulerFailures, BackOffGrowsToItsBoundAndDependsOnTheSeed) {
	SchedulerConfig config;
	config.task_retries = 20;
	config.backoff_base_ms = 100;
	config.backoff_max_ms = 1000;
	Harness harness({Harness::MakeStage(0, 1)}, config);
	harness.Start(1);
	for (uint64_t expected : {100, 200, 400, 800, 1000, 1000}) {
		harness.Fail({0, 0}, Harness::Error(ErrorKind::WORKER_FAILURE));
		auto wait = harness.Of<action::SetTimer>().at(0).at_ms - harness.now;
		EXPECT_GE(wait, expected / 2);
		EXPECT_LE(wait, expected);
		harness.FireTimer();
	}
}

TEST(SchedulerFailures, ATaskWaitsForAnotherWorkerThanTheOneWhereItFailed) {
	Harness harness({Harness::MakeStage(0, 2)});
	harness.Start(2);
	harness.Fail({0, 0}, Harness::Error(ErrorKind::WORKER_FAILURE));
	harness.FireTimer();
	EXPECT_TRUE(harness.Starts().empty());
	harness.Succeed({0, 1});
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_EQ(harness.Starts()[0].worker, "b");
}

TEST(SchedulerFailures, TheSameWorkerIsBetterThanNone) {
	Harness harness({Harness::MakeStage(0, 1)});
	harness.Start(1);
	harness.Fail({0, 0}, Harness::Error(ErrorKind::WORKER_FAILURE));
	harness.FireTimer();
	EXPECT_EQ(harness.Starts().at(0).worker, "a");
}

TEST(SchedulerFailures, HavingFailedEverywhereItGoesRoundAllPlaces) {
	SchedulerConfig config;
	config.task_retries = 6;
	Harness harness({Harness::MakeStage(0, 1)}, config);
	harness.Start(3);
	std::vector<WorkerId> places;
	for (int i = 0; i < 6; i++) {
		places.push_back(harness.Where({0, 0}));
		harness.Fail({0, 0}, Harness::Error(ErrorKind::WORKER_FAILURE));
		harness.FireTimer();
	}
	EXPECT_EQ(places, (std::vector<WorkerId> {"a", "b", "c", "a", "b", "c"}));
}

TEST(SchedulerFailures, ADrainingWorkerIsNoOtherPlace) {
	Harness harness({Harness::MakeStage(0, 1)});
	harness.Start(2);
	harness.Do(event::WorkerDraining {"b"});
	harness.Fail({0, 0}, Harness::Error(ErrorKind::WORKER_FAILURE));
	harness.FireTimer();
	EXPECT_EQ(harness.Starts().at(0).worker, "a");
}

TEST(SchedulerFailures, GivesUpAfterTheLastRetryAndSaysHowOften) {
	SchedulerConfig config;
	config.task_retries = 2;
	Harness harness({Harness::MakeStage(0, 2)}, config);
	harness.Start(2);
	harness.Fail({0, 0}, Harness::Error(ErrorKind::WORKER_FAILURE, "first"));
	harness.FireTimer();
	harness.Succeed({0, 1});
	harness.Fail({0, 0}, Harness::Error(ErrorKind::WORKER_FAILURE, "second"));
	harness.FireTimer();
	harness.Fail({0, 0}, Harness::Error(ErrorKind::WORKER_FAILURE, "disk full"));
	EXPECT_EQ(harness.Failure().kind, ErrorKind::WORKER_FAILURE);
	EXPECT_EQ(harness.Failure().message, "Task 0 of stage 0 failed after 3 attempts: disk full");
}

TEST(SchedulerFailures, WithoutRetriesTheFirstFailureIsTheLast) {
	SchedulerConfig config;
	config.task_retries = 0;
	Harness harness({Harness::MakeStage(0, 2)}, config);
	harness.Start(2);
	harness.Fail({0, 0}, Harness::Error(ErrorKind::WORKER_FAILURE, "gone"));
	EXPECT_EQ(harness.Failure().message, "Task 0 of stage 0 failed after 1 attempt: gone");
}

TEST(SchedulerFailures, ResultsOfOldAttemptsAreIgnored) {
	Harness harness({Harness::MakeStage(0, 1)});
	harness.Start(2);
	harness.Fail({0, 0}, Harness::Error(ErrorKind::WORKER_FAILURE));
	harness.Succeed({0, 0}, 0, "a");
	EXPECT_EQ(harness.State({0, 0}), TaskState::QUEUED);
	harness.now += 5000;
	harness.Do(event::TimerFired {});
	ASSERT_EQ(harness.State({0, 0}), TaskState::RUNNING);
	harness.Succeed({0, 0}, 0, "a");
	harness.Do(event::TaskFailed {{0, 0}, 0, "a", Harness::Error(ErrorKind::USER)});
	EXPECT_EQ(harness.State({0, 0}), TaskState::RUNNING);
	EXPECT_EQ(harness.scheduler.Stats().stale_results, 3U);
	harness.Succeed({0, 0}, 1, "b");
	EXPECT_EQ(harness.State({0, 0}), TaskState::DONE);
}

TEST(SchedulerFailures, UnknownResultsAreIgnored) {
	Harness harness({Harness::MakeStage(0, 2)});
	harness.Start(1);
	harness.Succeed({0, 1}, 0, "a");
	harness.Succeed({0, 0}, 1, "a");
	harness.Succeed({0, 0}, 0, "somebody");
	harness.Succeed({0, 9}, 0, "a");
	harness.Succeed({9, 0}, 0, "a");
	EXPECT_EQ(harness.scheduler.Stats().stale_results, 5U);
	EXPECT_EQ(harness.scheduler.Stats().done_tasks, 0U);
}

TEST(SchedulerFailures, ASecondSuccessCountsOnce) {
	Harness harness({Harness::MakeStage(0, 2)});
	harness.Start(1);
	harness.Succeed({0, 0}, 0, "a");
	harness.Succeed({0, 0}, 0, "a");
	EXPECT_TRUE(harness.last.empty());
	EXPECT_EQ(harness.scheduler.Stats().done_tasks, 1U);
	EXPECT_EQ(harness.scheduler.Stats().duplicate_results, 1U);
	harness.Do(event::TaskFailed {{0, 0}, 0, "a", Harness::Error(ErrorKind::USER)});
	EXPECT_FALSE(harness.scheduler.Ended());
}

TEST(SchedulerFailures, ATaskCancelledByNobodyHereIsRetried) {
	Harness harness({Harness::MakeStage(0, 1)});
	harness.Start(2);
	harness.Fail({0, 0}, Harness::Error(ErrorKind::CANCELLED));
	harness.FireTimer();
	EXPECT_EQ(harness.Starts().at(0).worker, "b");
}

TEST(SchedulerFailures, CancelReachesEveryRunningAttempt) {
	Harness harness({Harness::MakeStage(0, 4)});
	harness.Start(3);
	harness.Do(event::Cancel {});
	EXPECT_EQ(harness.Of<action::CancelAttempt>().size(), 3U);
	EXPECT_EQ(harness.Failure().kind, ErrorKind::CANCELLED);
	harness.Do(event::TaskFailed {{0, 0}, 0, "a", Harness::Error(ErrorKind::CANCELLED)});
	harness.Do(event::Cancel {});
	EXPECT_TRUE(harness.last.empty());
	EXPECT_EQ(harness.scheduler.Stats().running_tasks, 0U);
}

TEST(SchedulerFailures, CancelBeforeStart) {
	Harness harness({Harness::MakeStage(0, 4)});
	harness.Do(event::Cancel {});
	EXPECT_EQ(harness.Failure().kind, ErrorKind::CANCELLED);
	harness.Start(1);
	EXPECT_TRUE(harness.last.empty());
}

TEST(SchedulerFailures, WithoutWorkersTheQueryFailsInTime) {
	SchedulerConfig config;
	config.no_worker_timeout_ms = 3000;
	Harness harness({Harness::MakeStage(0, 2)}, config);
	harness.Do(event::Start {});
	EXPECT_EQ(harness.Of<action::SetTimer>().at(0).at_ms, 4000U);
	harness.FireTimer();
	EXPECT_EQ(harness.Failure().kind, ErrorKind::WORKER_FAILURE);
	EXPECT_EQ(harness.Failure().message,
	          "No worker takes tasks: 2 of 2 tasks are not done, and none came within 3000 ms");
}

TEST(SchedulerFailures, AWorkerInTimeSavesTheQuery) {
	Harness harness({Harness::MakeStage(0, 2)});
	harness.Start(1);
	harness.now = 2000;
	harness.Do(event::WorkerLost {"a", ""});
	EXPECT_EQ(harness.Of<action::SetTimer>().at(0).at_ms, 12000U);
	harness.now = 11999;
	harness.Join("b", 2);
	EXPECT_EQ(harness.Starts().size(), 2U);
	harness.now = 12000;
	harness.Do(event::TimerFired {});
	EXPECT_TRUE(harness.last.empty());
}

TEST(SchedulerFailures, DrainingWorkersFinishWhatTheyRun) {
	Harness harness({Harness::MakeStage(0, 2)});
	harness.Start(1, 2);
	harness.Do(event::WorkerDraining {"a"});
	EXPECT_TRUE(harness.last.empty());
	harness.Succeed({0, 0});
	harness.now += 100000;
	harness.Do(event::TimerFired {});
	EXPECT_FALSE(harness.scheduler.Ended());
	harness.Succeed({0, 1});
	EXPECT_TRUE(harness.scheduler.AllTasksDone());
}

TEST(SchedulerFailures, ADrainingWorkerTakesNothingNew) {
	Harness harness({Harness::MakeStage(0, 3)});
	harness.Start(2);
	harness.Do(event::WorkerDraining {"a"});
	harness.Do(event::WorkerDraining {"unknown"});
	harness.Succeed({0, 0});
	EXPECT_TRUE(harness.Starts().empty());
	harness.Succeed({0, 1});
	EXPECT_EQ(harness.Starts().at(0).worker, "b");
}

//! What a worker says that refuses a task, or could not be asked
static std::vector<TaskError> Refusals() {
	return {SchedulerHarness::Error(ErrorKind::DRAINING), SchedulerHarness::Error(ErrorKind::UNREACHABLE),
	        SchedulerHarness::Error(ErrorKind::OVERLOADED), SchedulerHarness::Error(ErrorKind::BROKEN),
	        SchedulerHarness::Error(ErrorKind::REPLACED)};
}

TEST(SchedulerFailures, ARefusalCostsNoAttempt) {
	for (auto &refusal : Refusals()) {
		SchedulerConfig config;
		config.task_retries = 0;
		Harness harness({Harness::MakeStage(0, 1)}, config);
		harness.Start(2);
		for (int i = 0; i < 50; i++) {
			harness.Fail({0, 0}, refusal);
			ASSERT_TRUE(harness.Failure().message.empty());
			if (harness.Starts().empty()) {
				harness.FireTimer();
			}
		}
		harness.Succeed({0, 0});
		EXPECT_TRUE(harness.Failure().message.empty());
	}
}

TEST(SchedulerFailures, ARefusedTaskGoesElsewhereAtOnce) {
	Harness harness({Harness::MakeStage(0, 1)});
	harness.Start(2);
	harness.Do(event::WorkerDraining {"a"});
	harness.Fail({0, 0}, Harness::Error(ErrorKind::DRAINING));
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_EQ(harness.Starts()[0].worker, "b");
}

TEST(SchedulerFailures, RefusalsAreBoundedByTime) {
	for (auto &refusal : Refusals()) {
		SchedulerConfig config;
		config.task_retries = 1;
		config.retry_patience_ms = 10000;
		Harness harness({Harness::MakeStage(0, 1)}, config);
		harness.Start(2);
		harness.Fail({0, 0}, refusal);
		harness.now += 10001;
		harness.Do(event::TimerFired {});
		harness.Fail({0, 0}, refusal);
		ASSERT_TRUE(harness.Failure().message.empty());
		harness.FireTimer();
		harness.Fail({0, 0}, refusal);
		EXPECT_EQ(harness.Failure().message, "Task 0 of stage 0 failed after 2 attempts: broken");
	}
}

TEST(SchedulerFailures, ABrokenConnectionIsAnAttempt) {
	SchedulerConfig config;
	config.task_retries = 0;
	Harness harness({Harness::MakeStage(0, 1)}, config);
	harness.Start(2);
	harness.Fail({0, 0}, Harness::Error(ErrorKind::DISCONNECTED, "gone"));
	EXPECT_EQ(harness.Failure().message, "Task 0 of stage 0 failed after 1 attempt: gone");
}

TEST(SchedulerFailures, ATaskThatBreaksWorkersEndsTheQueryByItsOwnError) {
	Harness harness({Harness::MakeStage(0, 1)});
	harness.Start(3);
	auto error = Harness::Error(ErrorKind::BROKEN, "a pointer that is NULL");
	error.breaks_worker = true;
	for (uint32_t broken = 1; broken < limits::BROKEN_WORKERS_MAX; broken++) {
		auto where = harness.Where({0, 0});
		harness.Fail({0, 0}, error);
		EXPECT_TRUE(harness.Failure().message.empty());
		harness.Do(event::WorkerLost {where, ""});
		harness.now += 10000;
		harness.Do(event::TimerFired {});
	}
	harness.Fail({0, 0}, error);
	EXPECT_EQ(harness.Failure().message, "a pointer that is NULL");
}

TEST(SchedulerFailures, AWorkerThatOthersBrokeIsNoneOfTheQuerysOwn) {
	Harness harness({Harness::MakeStage(0, 1)});
	harness.Start(5);
	for (int i = 0; i < 4; i++) {
		auto where = harness.Where({0, 0});
		harness.Fail({0, 0}, Harness::Error(ErrorKind::BROKEN));
		harness.Do(event::WorkerLost {where, ""});
	}
	harness.Succeed({0, 0});
	EXPECT_TRUE(harness.Failure().message.empty());
}

} // namespace duckherder
