#include "history/query_recorder.hpp"

#include <gtest/gtest.h>

//! What queries add up to, for metrics
namespace duckherder {
namespace {

TEST(QueryTotals, ReasonsAreLabelsWithoutNamesAndNumbers) {
	EXPECT_EQ(ReasonLabel("duckherder_mode is 'never'"), "duckherder_mode is *");
	EXPECT_EQ(ReasonLabel("no active workers: start some with f()"), "no active workers");
	EXPECT_EQ(ReasonLabel("one machine is estimated to take 12.5 ms, 2 workers 90"),
	          "one machine is estimated to take #.# ms, # workers #");
	EXPECT_EQ(ReasonLabel("the table \"a \"\" b\" has an index"), "the table ** has an index");
	EXPECT_EQ(ReasonLabel(std::string(500, 'x')).size(), 80U);
}

TEST(QueryTotals, ReasonsAreFew) {
	QueryTotals totals;
	for (char first = 'a'; first <= 'z'; first++) {
		for (char second = 'a'; second <= 'z'; second++) {
			QueryRecord record;
			record.state = "SUCCEEDED";
			record.local_reason = std::string("because of ") + first + second;
			totals.Add(record);
		}
	}
	EXPECT_EQ(totals.reasons.size(), 51U);
	EXPECT_EQ((totals.reasons[{ExecutionMode::LOCAL, "other"}]), 26U * 26U - 50U);
	QueryRecord distributed;
	distributed.mode = ExecutionMode::DISTRIBUTED;
	totals.Add(distributed);
	EXPECT_EQ(totals.reasons.size(), 51U);
}

TEST(QueryTotals, BytesReadAndRetriesAddUp) {
	QueryRecord record;
	record.state = "SUCCEEDED";
	record.trace.retries_by_reason = {{"worker_lost", 2}};
	record.trace.queued_us = 5;
	TaskHistory task;
	task.reads = {{0, 1, 10, 100, 0, 0, 0}, {1, 2, 20, 200, 0, 0, 0}};
	record.tasks = {task, task};
	QueryRecord reported;
	reported.report = QueryReport();
	reported.retries = 3;
	QueryTotals totals;
	totals.Add(record);
	totals.Add(record);
	totals.Add(reported);
	EXPECT_EQ(totals.inline_bytes, 12U);
	EXPECT_EQ(totals.local_bytes, 120U);
	EXPECT_EQ(totals.network_bytes, 1200U);
	EXPECT_EQ(totals.queued_us, 10U);
	EXPECT_EQ(totals.retries_by_reason, (std::map<std::string, uint64_t> {{"reported", 3}, {"worker_lost", 4}}));
}

} // namespace
} // namespace duckherder
