#include "test_scheduler_harness.hpp"

//! Lost workers and lost outputs: what runs again, and what does not.
namespace duckherder {

using Harness = SchedulerHarness;

TEST(SchedulerRecovery, ALostWorkersAttemptsRunElsewhereAtOnce) {
	Harness harness({Harness::MakeStage(0, 2)});
	harness.Start(2);
	harness.Join("c");
	harness.Do(event::WorkerLost {"a", "no heartbeat"});
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_EQ(harness.Starts()[0].task, (TaskKey {0, 0}));
	EXPECT_EQ(harness.Starts()[0].attempt, 1U);
	EXPECT_EQ(harness.Starts()[0].worker, "c");
	harness.Succeed({0, 0}, 0, "a");
	EXPECT_EQ(harness.scheduler.Stats().stale_results, 1U);
	harness.Do(event::WorkerLost {"a", ""});
	harness.Do(event::WorkerLost {"unknown", ""});
	EXPECT_TRUE(harness.last.empty());
}

TEST(SchedulerRecovery, ALostWorkerNamesItselfInTheError) {
	SchedulerConfig config;
	config.task_retries = 0;
	Harness harness({Harness::MakeStage(0, 1)}, config);
	harness.Start(2);
	harness.Do(event::WorkerLost {"a", "no heartbeat"});
	EXPECT_EQ(harness.Failure().message, "Task 0 of stage 0 failed after 1 attempt: Worker a was lost: no heartbeat");
	EXPECT_EQ(harness.Failure().worker_id, "a");
}

TEST(SchedulerRecovery, OnlyTheLostOutputsOfANeededStageRunAgain) {
	Harness harness(Harness::TwoStages(3, 1));
	harness.Start(3);
	harness.Succeed({0, 0});
	harness.Succeed({0, 1});
	harness.Do(event::WorkerLost {"a", ""});
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_EQ(harness.Starts()[0].task, (TaskKey {0, 0}));
	EXPECT_EQ(harness.scheduler.Stats().outputs_lost, 1U);
	harness.Succeed({0, 2});
	EXPECT_TRUE(harness.Starts().empty());
	harness.Succeed({0, 0});
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_EQ(harness.Starts()[0].task, (TaskKey {1, 0}));
	EXPECT_EQ(harness.scheduler.StageOutputs(0)[0].attempt, 1U);
}

TEST(SchedulerRecovery, OutputsThatNobodyNeedsStayLost) {
	Harness harness(Harness::TwoStages(2, 1));
	harness.Start(2);
	harness.Succeed({0, 0});
	harness.Succeed({0, 1});
	harness.Succeed({1, 0});
	auto reader = harness.Where({1, 0});
	harness.Do(event::WorkerLost {reader == "a" ? "b" : "a", ""});
	EXPECT_TRUE(harness.last.empty());
	EXPECT_TRUE(harness.scheduler.AllTasksDone());
	EXPECT_EQ(harness.scheduler.StageOutputs(0).size(), 1U);
}

TEST(SchedulerRecovery, AnUnreadGatherOutputIsMadeAgainWithAllItNeeds) {
	Harness harness(Harness::TwoStages(2, 1));
	harness.Start(2);
	harness.Succeed({0, 0});
	harness.Succeed({0, 1});
	harness.Succeed({1, 0});
	auto reader = harness.Where({1, 0});
	auto other = reader == "a" ? "b" : "a";
	harness.Do(event::WorkerLost {reader, ""});
	// The producer that was at the same worker first
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_EQ(harness.Starts()[0].task.stage, 0U);
	harness.Succeed(harness.Starts()[0].task);
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_EQ(harness.Starts()[0].task, (TaskKey {1, 0}));
	harness.Succeed({1, 0});
	auto ready = harness.Of<action::TaskReady>();
	ASSERT_EQ(ready.size(), 1U);
	EXPECT_EQ(ready[0].attempt, 1U);
	EXPECT_EQ(ready[0].worker, other);
	harness.Do(event::TaskOutputConsumed {{1, 0}});
	EXPECT_TRUE(harness.Finished());
}

TEST(SchedulerRecovery, AnOutputThatTheSessionCannotReadIsMadeAgain) {
	Harness harness(Harness::TwoStages(1, 1));
	harness.Start(2);
	harness.Succeed({0, 0});
	harness.Succeed({1, 0});
	auto reader = harness.Where({1, 0});
	auto unreadable = [&](Attempt attempt) {
		harness.Do(event::TaskOutputLost {{1, 0}, attempt, reader, Harness::Error(ErrorKind::WORKER_FAILURE)});
	};
	unreadable(0);
	// elsewhere, and not what it reads
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_EQ(harness.Starts()[0].task, (TaskKey {1, 0}));
	EXPECT_NE(harness.Where({1, 0}), reader);
	// said twice, or of what does not count any more
	unreadable(0);
	EXPECT_TRUE(harness.Starts().empty());
	harness.Succeed({1, 0});
	unreadable(0);
	EXPECT_TRUE(harness.Starts().empty());
	EXPECT_EQ(harness.State({1, 0}), TaskState::DONE);
	harness.Do(event::TaskOutputConsumed {{1, 0}});
	EXPECT_TRUE(harness.Finished());
	EXPECT_EQ(harness.scheduler.Stats().outputs_lost, 1U);
}

TEST(SchedulerRecovery, AnOutputThatIsUnreadableTooOftenFailsTheQuery) {
	SchedulerConfig config;
	config.task_retries = 1;
	Harness harness({Harness::MakeStage(0, 1)}, config);
	harness.Start(3);
	for (Attempt attempt = 0; attempt < 2; attempt++) {
		harness.Succeed({0, 0});
		auto worker = harness.Where({0, 0});
		auto error = Harness::Error(ErrorKind::WORKER_FAILURE, "the connection broke");
		harness.Do(event::TaskOutputLost {{0, 0}, attempt, worker, error});
	}
	auto failed = harness.Of<action::QueryFailed>();
	ASSERT_EQ(failed.size(), 1U);
	EXPECT_EQ(failed[0].error.message, "Task 0 of stage 0 failed after 2 attempts: the connection broke");
}

TEST(SchedulerRecovery, AReadGatherOutputMayBeLost) {
	Harness harness({Harness::MakeStage(0, 2)});
	harness.Start(2);
	harness.Succeed({0, 0});
	harness.Do(event::TaskOutputConsumed {{0, 0}});
	harness.Do(event::WorkerLost {"a", ""});
	EXPECT_TRUE(harness.Starts().empty());
	EXPECT_EQ(harness.State({0, 0}), TaskState::DONE);
	harness.Succeed({0, 1});
	harness.Do(event::TaskOutputConsumed {{0, 1}});
	EXPECT_TRUE(harness.Finished());
}

TEST(SchedulerRecovery, ReadInTimeAfterAllStopsTheRerun) {
	Harness harness(Harness::TwoStages(1, 1));
	harness.Start(1);
	harness.Succeed({0, 0});
	harness.Succeed({1, 0});
	harness.Do(event::WorkerLost {"a", ""});
	harness.Join("b");
	EXPECT_EQ(harness.Starts().size(), 1U);
	harness.Do(event::TaskOutputConsumed {{1, 0}});
	EXPECT_EQ(harness.Of<action::CancelAttempt>().size(), 1U);
	EXPECT_TRUE(harness.Finished());
	EXPECT_EQ(harness.scheduler.Stats().done_tasks, 2U);
}

TEST(SchedulerRecovery, ARerunIsDroppedWhenItsReaderHasManagedWithout) {
	Harness harness(Harness::TwoStages(2, 1));
	harness.Start(3);
	harness.Succeed({0, 0});
	harness.Succeed({0, 1});
	EXPECT_EQ(harness.Where({1, 0}), "c");
	harness.Do(event::WorkerLost {"a", ""});
	EXPECT_EQ(harness.State({0, 0}), TaskState::RUNNING);
	harness.Succeed({1, 0});
	auto cancelled = harness.Of<action::CancelAttempt>();
	ASSERT_EQ(cancelled.size(), 1U);
	EXPECT_EQ(cancelled[0].task, (TaskKey {0, 0}));
	EXPECT_EQ(cancelled[0].attempt, 1U);
	EXPECT_TRUE(harness.scheduler.AllTasksDone());
}

TEST(SchedulerRecovery, ADroppedRerunDoesNotComeBackAfterItsBackOff) {
	auto stages = Harness::TwoStages(2, 1);
	// Keeps the query going
	stages.push_back(Harness::MakeStage(2, 1));
	Harness harness(stages);
	harness.Start(3, 4);
	harness.Succeed({0, 0});
	harness.Succeed({0, 1});
	auto rerun = harness.Where({0, 0}) == harness.Where({1, 0}) ? TaskKey {0, 1} : TaskKey {0, 0};
	harness.Do(event::WorkerLost {harness.Where(rerun), ""});
	harness.Fail(rerun, Harness::Error(ErrorKind::WORKER_FAILURE));
	harness.Succeed({1, 0});
	EXPECT_EQ(harness.State(rerun), TaskState::DONE);
	harness.now += 60000;
	harness.Do(event::TimerFired {});
	EXPECT_TRUE(harness.Starts().empty());
	EXPECT_EQ(harness.State(rerun), TaskState::DONE);
}

TEST(SchedulerRecovery, LostInputRerunsTheProducersElsewhereAndThenTheReader) {
	Harness harness(Harness::TwoStages(3, 1));
	harness.Start(3);
	for (TaskId task = 0; task < 3; task++) {
		harness.Succeed({0, task});
	}
	harness.Fail({1, 0}, Harness::Error(ErrorKind::LOST_INPUT, "no such output", "b"));
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_EQ(harness.Starts()[0].task, (TaskKey {0, 1}));
	EXPECT_NE(harness.Starts()[0].worker, "b");
	harness.FireTimer();
	EXPECT_TRUE(harness.Starts().empty());
	harness.Succeed({0, 1});
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_EQ(harness.Starts()[0].task, (TaskKey {1, 0}));
	EXPECT_EQ(harness.Starts()[0].attempt, 1U);
}

TEST(SchedulerRecovery, ALateComplaintDoesNotLoseTheNewOutput) {
	Harness harness(Harness::TwoStages(1, 2));
	harness.Start(2, 2);
	harness.Succeed({0, 0});
	harness.Fail({1, 0}, Harness::Error(ErrorKind::LOST_INPUT, "gone", "a"));
	harness.Succeed({0, 0}, 1, "b");
	harness.Fail({1, 1}, Harness::Error(ErrorKind::LOST_INPUT, "gone", "a"));
	EXPECT_EQ(harness.scheduler.Stats().outputs_lost, 1U);
	harness.now += 1000;
	harness.Do(event::TimerFired {});
	EXPECT_EQ(harness.Starts().size(), 2U);
}

TEST(SchedulerRecovery, LostInputOfAnUnknownWorkerIsAnOrdinaryFailure) {
	Harness harness(Harness::TwoStages(1, 1));
	harness.Start(2);
	harness.Succeed({0, 0});
	auto first = harness.Where({1, 0});
	harness.Fail({1, 0}, Harness::Error(ErrorKind::LOST_INPUT, "gone", ""));
	harness.FireTimer();
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_NE(harness.Starts()[0].worker, first);
	EXPECT_EQ(harness.scheduler.Stats().outputs_lost, 0U);
}

TEST(SchedulerRecovery, LosingOutputsIsBoundedToo) {
	SchedulerConfig config;
	config.task_retries = 1;
	Harness harness(Harness::TwoStages(1, 1), config);
	harness.Start(3);
	harness.Succeed({0, 0});
	harness.Do(event::WorkerLost {harness.Where({0, 0}), ""});
	harness.Succeed({0, 0});
	harness.Do(event::WorkerLost {harness.Where({0, 0}), ""});
	EXPECT_EQ(harness.Failure().kind, ErrorKind::WORKER_FAILURE);
	EXPECT_NE(harness.Failure().message.find("failed after 2 attempts: Worker"), std::string::npos);
}

TEST(SchedulerRecovery, AReturningWorkerStartsEmpty) {
	Harness harness(Harness::TwoStages(1, 1));
	harness.Start(1);
	harness.Succeed({0, 0});
	harness.Do(event::WorkerLost {"a", ""});
	harness.Join("a");
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_EQ(harness.Starts()[0].task, (TaskKey {0, 0}));
	EXPECT_EQ(harness.Starts()[0].attempt, 1U);
}

TEST(SchedulerRecovery, DrainingKeepsOutputsReadable) {
	Harness harness(Harness::TwoStages(2, 1));
	harness.Start(2);
	harness.Succeed({0, 0});
	harness.Do(event::WorkerDraining {"a"});
	harness.Succeed({0, 1});
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_EQ(harness.Starts()[0].worker, "b");
	EXPECT_EQ(harness.scheduler.StageOutputs(0)[0].worker, "a");
}

TEST(SchedulerRecovery, RowsThatCannotBeMadeAgainFailTheQueryOnceUsed) {
	auto stages = Harness::TwoStages(2, 2);
	stages[0].repeatable = false;
	Harness harness(stages);
	harness.Start(4);
	harness.Succeed({0, 0});
	harness.Succeed({0, 1});
	harness.Succeed({1, 0});
	harness.Do(event::WorkerLost {harness.Where({0, 0}), ""});
	EXPECT_NE(harness.Failure().message.find("would not make the same rows again"), std::string::npos);
}

TEST(SchedulerRecovery, RowsThatCannotBeMadeAgainFailTheQueryOnceTheSessionMayHaveReadThem) {
	auto stages = Harness::TwoStages(1, 2);
	stages[0].repeatable = false;
	SchedulerConfig config;
	config.task_retries = 10;
	Harness harness(stages, config);
	harness.Join("a", 2);
	harness.Do(event::Start {});
	harness.Succeed({0, 0});
	harness.Succeed({1, 0});
	EXPECT_EQ(harness.Of<action::TaskReady>().size(), 1U);
	// All three are gone together: no consumer is done any more, but the session was told of one
	harness.Do(event::WorkerLost {"a", ""});
	EXPECT_NE(harness.Failure().message.find("would not make the same rows again"), std::string::npos);
}

TEST(SchedulerRecovery, RowsThatCannotBeMadeAgainRestartTheirReaders) {
	auto stages = Harness::TwoStages(2, 2);
	stages[0].repeatable = false;
	Harness harness(stages);
	harness.Start(4);
	harness.Succeed({0, 0});
	harness.Succeed({0, 1});
	harness.Do(event::WorkerLost {harness.Where({0, 0}), ""});
	EXPECT_EQ(harness.Of<action::CancelAttempt>().size(), 2U);
	EXPECT_EQ(harness.State({1, 0}), TaskState::QUEUED);
	harness.Succeed({0, 0});
	EXPECT_EQ(harness.Starts().size(), 2U);
	EXPECT_EQ(harness.Starts()[0].attempt, 1U);
}

} // namespace duckherder
