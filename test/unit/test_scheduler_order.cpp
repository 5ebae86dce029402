#include "test_scheduler_harness.hpp"

#include <map>
#include <set>
#include <stdexcept>

//! Which task starts where, and when a query is finished.
namespace duckherder {

using Harness = SchedulerHarness;

TEST(SchedulerOrder, SpreadsFirstTasksOverAllWorkers) {
	Harness harness({Harness::MakeStage(0, 4)});
	harness.Start(4, 4);
	std::set<WorkerId> workers;
	for (auto &start : harness.Starts()) {
		workers.insert(start.worker);
		EXPECT_EQ(start.attempt, 0U);
	}
	EXPECT_EQ(harness.Starts().size(), 4U);
	EXPECT_EQ(workers.size(), 4U);
}

TEST(SchedulerOrder, BiggerWorkersGetAShareByTheirSlots) {
	Harness harness({Harness::MakeStage(0, 6)});
	harness.Join("big", 8);
	harness.Join("small", 4);
	harness.Do(event::Start {});
	std::map<WorkerId, int> tasks;
	for (auto &start : harness.Starts()) {
		tasks[start.worker]++;
	}
	EXPECT_EQ(tasks["big"], 4);
	EXPECT_EQ(tasks["small"], 2);
}

TEST(SchedulerOrder, NothingStartsBeforeStart) {
	Harness harness({Harness::MakeStage(0, 4)});
	harness.Join("a", 4);
	EXPECT_TRUE(harness.last.empty());
	harness.Do(event::Start {});
	EXPECT_EQ(harness.Starts().size(), 4U);
	harness.Do(event::Start {});
	EXPECT_TRUE(harness.last.empty());
}

TEST(SchedulerOrder, AFreeSlotTakesTheNextTaskInOrder) {
	Harness harness({Harness::MakeStage(0, 4)});
	harness.Start(2);
	harness.Succeed({0, 1}, 0, "b");
	ASSERT_EQ(harness.Starts().size(), 1U);
	EXPECT_EQ(harness.Starts()[0].task, (TaskKey {0, 2}));
	EXPECT_EQ(harness.Starts()[0].worker, "b");
	harness.Succeed({0, 2}, 0, "b");
	EXPECT_EQ(harness.Starts()[0].task, (TaskKey {0, 3}));
	EXPECT_EQ(harness.State({0, 0}), TaskState::RUNNING);
}

TEST(SchedulerOrder, ALateWorkerTakesWaitingTasks) {
	Harness harness({Harness::MakeStage(0, 3)});
	harness.Start(1);
	harness.Join("late", 2);
	EXPECT_EQ(harness.Starts().size(), 2U);
}

TEST(SchedulerOrder, MoreSlotsOfAKnownWorkerAreUsedAtOnce) {
	Harness harness({Harness::MakeStage(0, 3)});
	harness.Start(1);
	harness.Join("a", 3);
	EXPECT_EQ(harness.Starts().size(), 2U);
}

TEST(SchedulerOrder, FewerSlotsStopNothingAndStartNothing) {
	Harness harness({Harness::MakeStage(0, 4)});
	harness.Start(1, 3);
	harness.Join("a", 1);
	EXPECT_TRUE(harness.last.empty());
	harness.Succeed({0, 0});
	harness.Succeed({0, 1});
	EXPECT_TRUE(harness.Starts().empty());
	harness.Succeed({0, 2});
	EXPECT_EQ(harness.Starts().size(), 1U);
}

TEST(SchedulerOrder, AConsumerWaitsForAllItsInputs) {
	Harness harness(Harness::TwoStages(2, 2));
	harness.Start(4);
	EXPECT_EQ(harness.Starts().size(), 2U);
	harness.Succeed({0, 0});
	EXPECT_TRUE(harness.Starts().empty());
	EXPECT_FALSE(harness.scheduler.StageDone(0));
	harness.Succeed({0, 1});
	EXPECT_EQ(harness.Starts().size(), 2U);
	EXPECT_TRUE(harness.scheduler.StageDone(0));
	auto outputs = harness.scheduler.StageOutputs(0);
	ASSERT_EQ(outputs.size(), 2U);
	EXPECT_EQ(outputs[1].task, 1U);
	EXPECT_EQ(outputs[1].worker, harness.Where({0, 1}));
}

TEST(SchedulerOrder, AReadyStageWithASmallerNumberGoesFirst) {
	Harness harness({Harness::MakeStage(0, 1, {}, ExchangeKind::HASH), Harness::MakeStage(1, 2, {}, ExchangeKind::HASH),
	                 Harness::MakeStage(2, 1, {0}), Harness::MakeStage(3, 1, {1})});
	harness.Start(1);
	harness.Succeed({0, 0});
	EXPECT_EQ(harness.Starts()[0].task, (TaskKey {1, 0}));
	harness.Succeed({1, 0});
	EXPECT_EQ(harness.Starts()[0].task, (TaskKey {1, 1}));
	harness.Succeed({1, 1});
	EXPECT_EQ(harness.Starts()[0].task, (TaskKey {2, 0}));
}

TEST(SchedulerOrder, FinishesWhenTheSessionHasReadEverything) {
	Harness harness({Harness::MakeStage(0, 2)});
	harness.Start(2);
	harness.Succeed({0, 1});
	auto ready = harness.Of<action::TaskReady>();
	ASSERT_EQ(ready.size(), 1U);
	EXPECT_EQ(ready[0].task, (TaskKey {0, 1}));
	EXPECT_EQ(ready[0].worker, "b");
	harness.Do(event::TaskOutputConsumed {{0, 1}});
	harness.Succeed({0, 0});
	EXPECT_TRUE(harness.scheduler.AllTasksDone());
	EXPECT_FALSE(harness.Finished());
	harness.Do(event::TaskOutputConsumed {{0, 0}});
	EXPECT_TRUE(harness.Finished());
	EXPECT_TRUE(harness.scheduler.Ended());
	EXPECT_DOUBLE_EQ(harness.scheduler.Progress(), 1.0);
}

TEST(SchedulerOrder, OnlyGatherOutputsAreAnnounced) {
	Harness harness(Harness::TwoStages(1, 1));
	harness.Start(1);
	harness.Succeed({0, 0});
	EXPECT_TRUE(harness.Of<action::TaskReady>().empty());
	harness.Succeed({1, 0});
	EXPECT_EQ(harness.Of<action::TaskReady>().size(), 1U);
}

TEST(SchedulerOrder, OutputsConsumedBeforeTheyWereAnnouncedAreNot) {
	Harness harness({Harness::MakeStage(0, 1)});
	harness.Start(1);
	harness.Do(event::TaskOutputConsumed {{0, 0}});
	harness.Do(event::TaskOutputConsumed {{7, 7}});
	harness.Succeed({0, 0});
	EXPECT_FALSE(harness.Finished());
	harness.Do(event::TaskOutputConsumed {{0, 0}});
	EXPECT_TRUE(harness.Finished());
}

TEST(SchedulerOrder, ASatisfiedSessionEndsTheQueryEarly) {
	Harness harness({Harness::MakeStage(0, 3)});
	harness.Start(2);
	harness.Succeed({0, 0});
	harness.Do(event::QueryConsumed {});
	EXPECT_TRUE(harness.Finished());
	EXPECT_EQ(harness.Of<action::CancelAttempt>().size(), 2U);
	EXPECT_EQ(harness.State({0, 1}), TaskState::CANCELLED);
	harness.Join("c");
	EXPECT_TRUE(harness.last.empty());
}

TEST(SchedulerOrder, AQueryWithoutTasksFinishesAtOnce) {
	Harness nothing({});
	nothing.Do(event::Start {});
	EXPECT_TRUE(nothing.Finished());
	Harness empty_stage(Harness::TwoStages(0, 1));
	empty_stage.Start(1);
	EXPECT_EQ(empty_stage.Starts().size(), 1U);
}

TEST(SchedulerOrder, RefusesStagesThatBreakTheRules) {
	AffinityMap affinity;
	SchedulerConfig config;
	EXPECT_THROW(QueryScheduler({Harness::MakeStage(1, 1)}, config, affinity), std::invalid_argument);
	EXPECT_THROW(QueryScheduler({Harness::MakeStage(0, 1, {0})}, config, affinity), std::invalid_argument);
	auto stage = Harness::MakeStage(0, 2);
	stage.affinity_keys = {"only one"};
	EXPECT_THROW(QueryScheduler({stage}, config, affinity), std::invalid_argument);
}

TEST(SchedulerOrder, KnowsProgressAndCounts) {
	Harness harness(Harness::TwoStages(3, 1));
	harness.Start(2);
	EXPECT_DOUBLE_EQ(harness.scheduler.Progress(), 0.0);
	auto version = harness.scheduler.StageOutputsVersion(0);
	harness.Succeed({0, 0});
	EXPECT_NE(harness.scheduler.StageOutputsVersion(0), version);
	EXPECT_DOUBLE_EQ(harness.scheduler.Progress(), 0.25);
	auto stats = harness.scheduler.Stats();
	EXPECT_EQ(stats.total_tasks, 4U);
	EXPECT_EQ(stats.done_tasks, 1U);
	EXPECT_EQ(stats.running_tasks, 2U);
	EXPECT_EQ(stats.attempts_started, 3U);
	EXPECT_EQ(harness.scheduler.StageCount(), 2U);
	EXPECT_EQ(harness.scheduler.TaskCount(0), 3U);
	EXPECT_EQ(harness.State({1, 0}), TaskState::QUEUED);
	EXPECT_STREQ(TaskStateName(TaskState::RUNNING), "RUNNING");
}

TEST(SchedulerOrder, StagesOfThePlanBecomeStagesOfTheScheduler) {
	Stage stage;
	stage.id = 3;
	stage.inputs = {1};
	stage.output.kind = ExchangeKind::GATHER;
	stage.tasks.resize(2);
	EXPECT_TRUE(ToSchedulerStage(stage).affinity_keys.empty());
	stage.tasks[1].affinity_key = "file";
	auto result = ToSchedulerStage(stage);
	EXPECT_EQ(result.id, 3U);
	EXPECT_EQ(result.task_count, 2U);
	EXPECT_EQ(result.output_kind, ExchangeKind::GATHER);
	EXPECT_EQ(result.affinity_keys, (std::vector<std::string> {"", "file"}));
}

TEST(SchedulerAffinity, PrefersTheWorkerOfTheLastTime) {
	auto stage = Harness::MakeStage(0, 4);
	stage.affinity_keys = {"k0", "k1", "k2", ""};
	Harness harness({stage});
	harness.affinity.Put("k0", "b");
	harness.affinity.Put("k2", "a");
	harness.Start(2, 2);
	EXPECT_EQ(harness.Where({0, 0}), "b");
	EXPECT_EQ(harness.Where({0, 2}), "a");
	EXPECT_EQ(harness.Starts().size(), 4U);
	harness.Succeed({0, 1});
	EXPECT_EQ(harness.affinity.Find("k1"), harness.Where({0, 1}));
	harness.Succeed({0, 3});
	EXPECT_FALSE(harness.affinity.Find("").has_value());
}

TEST(SchedulerAffinity, StealsRatherThanIdling) {
	auto stage = Harness::MakeStage(0, 4);
	stage.affinity_keys = {"k0", "k1", "k2", "k3"};
	Harness harness({stage});
	for (auto &key : stage.affinity_keys) {
		harness.affinity.Put(key, "a");
	}
	harness.affinity.Put("k3", "nobody");
	harness.Start(2);
	EXPECT_EQ(harness.Starts().size(), 2U);
	EXPECT_EQ(harness.Where({0, 0}), "a");
	harness.Succeed({0, 0});
	harness.Succeed({0, 1});
	EXPECT_EQ(harness.State({0, 3}), TaskState::RUNNING);
}

TEST(SchedulerAffinity, ADecisionDoesNotLookAtEveryTask) {
	auto stage = Harness::MakeStage(0, 100000);
	for (uint32_t task = 0; task < stage.task_count; task++) {
		stage.affinity_keys.push_back("file" + std::to_string(task));
	}
	Harness harness({stage});
	for (uint32_t task = 0; task < stage.task_count; task++) {
		harness.affinity.Put(stage.affinity_keys[task], "w" + std::to_string(task % 1000));
	}
	for (uint32_t worker = 0; worker < 1000; worker++) {
		harness.Join("w" + std::to_string(worker), 4);
	}
	harness.Do(event::Start {});
	std::vector<action::StartTask> started = harness.Starts();
	uint32_t preferred = 0;
	for (size_t i = 0; i < started.size(); i++) {
		auto start = started[i];
		preferred += start.worker == "w" + std::to_string(start.task.task % 1000) ? 1 : 0;
		harness.Succeed(start.task, 0, start.worker);
		for (auto &next : harness.Starts()) {
			started.push_back(next);
		}
	}
	EXPECT_TRUE(harness.scheduler.AllTasksDone());
	EXPECT_EQ(preferred, 100000U);
}

TEST(SchedulerAffinity, TheMapForgetsWhatWasUsedLongestAgo) {
	AffinityMap map(2);
	map.Put("x", "a");
	map.Put("y", "b");
	EXPECT_EQ(map.Find("x"), "a");
	map.Put("z", "c");
	EXPECT_EQ(map.Size(), 2U);
	EXPECT_FALSE(map.Find("y").has_value());
	map.Put("x", "d");
	EXPECT_EQ(map.Find("x"), "d");
	AffinityMap none(0);
	none.Put("x", "a");
	EXPECT_EQ(none.Size(), 0U);
}

} // namespace duckherder
