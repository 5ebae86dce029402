#include "extension/explain_verdict.hpp"

#include <gtest/gtest.h>

namespace duckherder {
namespace {

constexpr uint64_t MS = 1000;

StageFacts Stage(StageId id, uint64_t busy_ms, uint64_t tasks = 6) {
	StageFacts stage;
	stage.id = id;
	stage.estimated_rows = 100;
	StageRunFacts run;
	run.tasks = tasks;
	run.workers = {"worker-0", "worker-1", "worker-2"};
	run.output_rows = 100;
	run.busy_us = busy_ms * MS;
	run.median_us = run.slowest_us = run.busy_us / tasks;
	run.slowest_task = 4;
	run.slowest_worker = "worker-1";
	run.wall_us = run.busy_us / 3;
	stage.run = run;
	return stage;
}

//! Two stages whose times are alike, and which ran for about a third of the time that three workers had
QueryFacts Ordinary() {
	QueryFacts facts;
	facts.mode = "DISTRIBUTED";
	facts.workers = 3;
	facts.stages = {Stage(0, 150), Stage(1, 300)};
	facts.run = QueryRunFacts {300 * MS, 60 * MS, 450 * MS};
	return facts;
}

std::string All(const QueryFacts &facts) {
	std::string text;
	for (auto &sentence : VerdictOf(facts)) {
		text += sentence + "\n";
	}
	return text;
}

bool Says(const QueryFacts &facts, const std::string &part) {
	return All(facts).find(part) != std::string::npos;
}

TEST(Verdict, WhatHasNotRunIsNotJudged) {
	auto facts = Ordinary();
	facts.run.reset();
	EXPECT_EQ(All(facts), "");
}

TEST(Verdict, TheSlowestStage) {
	EXPECT_EQ(All(Ordinary()), "Most time went into stage 1: 300.0 ms, 67 % of what all tasks took.\n");
	auto even = Ordinary();
	even.stages = {Stage(0, 150), Stage(1, 150), Stage(2, 150)};
	EXPECT_EQ(All(even), "");
}

TEST(Verdict, TheSession) {
	auto facts = Ordinary();
	facts.run->session_us = 200 * MS;
	EXPECT_TRUE(Says(facts, "No task ran for 200.0 ms (67 % of the time)")) << All(facts);
}

TEST(Verdict, Skew) {
	auto facts = Ordinary();
	facts.stages[1].run->median_us = 20 * MS;
	EXPECT_TRUE(Says(facts, "Task 4 of stage 1 on worker-1 took 2.5 times the median: some keys")) << All(facts);
	facts.stages[1].tasks.has_scan = true;
	EXPECT_TRUE(Says(facts, "duckherder_tasks_per_worker")) << All(facts);
	facts.stages[1].run->median_us = 25 * MS;
	EXPECT_FALSE(Says(facts, "median")) << All(facts);
}

TEST(Verdict, ShortTasksHaveNoSkew) {
	auto facts = Ordinary();
	facts.stages[1].run->slowest_us = 15 * MS;
	facts.stages[1].run->median_us = 1 * MS;
	EXPECT_FALSE(Says(facts, "median")) << All(facts);
}

TEST(Verdict, Spill) {
	auto facts = Ordinary();
	facts.stages[0].run->spilled_bytes = 1;
	EXPECT_TRUE(Says(facts, "Tasks of stage 0 wrote to temporary files")) << All(facts);
	EXPECT_TRUE(Says(facts, "--memory-limit")) << All(facts);
}

TEST(Verdict, Waiting) {
	auto facts = Ordinary();
	facts.stages[1].run->wall_us = 250 * MS;
	EXPECT_TRUE(Says(facts, "it took 250.0 ms, although its tasks need 100.0 ms")) << All(facts);
}

TEST(Verdict, FewTasks) {
	auto facts = Ordinary();
	facts.stages[1] = Stage(1, 300, 1);
	facts.stages[1].tasks.has_scan = true;
	EXPECT_TRUE(Says(facts, "Stage 1 had 1 task for 3 workers: smaller row groups")) << All(facts);
}

TEST(Verdict, RowsOfTheSession) {
	auto facts = Ordinary();
	facts.stages[1].tasks.has_scan = facts.stages[1].tasks.fed = true;
	EXPECT_TRUE(Says(facts, "The session read and sent the rows of stage 1")) << All(facts);
}

TEST(Verdict, Estimates) {
	auto facts = Ordinary();
	facts.stages[0].run->output_rows = 1001;
	EXPECT_TRUE(Says(facts, "Stage 0 put out 1001 rows where 100 were expected")) << All(facts);
	facts.stages[0].run->output_rows = 0;
	EXPECT_FALSE(Says(facts, "expected")) << "few rows do not matter: " << All(facts);
	// each task has its groups
	facts.stages[0].run->output_rows = 10000;
	facts.stages[0].description = "AGGREGATE <- SEQ_SCAN t";
	EXPECT_FALSE(Says(facts, "expected")) << All(facts);
}

TEST(Verdict, MoreWorkers) {
	auto facts = Ordinary();
	facts.run->wall_us = 160 * MS;
	facts.run->session_us = 0;
	EXPECT_TRUE(Says(facts, "Tasks ran on the workers for 94 % of the time: more workers")) << All(facts);
}

TEST(Verdict, AtMostThreeSentences) {
	auto facts = Ordinary();
	facts.run->session_us = 200 * MS;
	auto &run = *facts.stages[1].run;
	run.spilled_bytes = 1;
	run.median_us = 1;
	run.wall_us = 500 * MS;
	facts.stages[1].tasks.fed = true;
	EXPECT_EQ(VerdictOf(facts).size(), 3U) << All(facts);
}

TEST(Verdict, WhatStaysInTheSession) {
	QueryFacts facts;
	facts.mode = "LOCAL";
	facts.reason = "the largest scan has 25 rows, fewer than duckherder_min_rows (8192)";
	EXPECT_TRUE(Says(facts, "SET duckherder_min_rows = 0")) << All(facts);
	facts.reason = "an index of t finds the rows, and no other scan reaches duckherder_min_rows (8192)";
	EXPECT_EQ(All(facts), "") << "nothing is faster than an index";
	facts.reason = "one machine is estimated to take 3 ms, 2 workers 20 ms";
	EXPECT_TRUE(Says(facts, "duckherder_mode = 'always'")) << All(facts);
}

} // namespace
} // namespace duckherder
