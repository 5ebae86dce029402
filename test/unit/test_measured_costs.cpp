#include "coordinator/measured_costs.hpp"

#include <gtest/gtest.h>

namespace duckherder {
namespace {

TaskHistory Task(StageId stage, const char *worker, uint64_t duration_us) {
	TaskHistory task;
	task.stage_id = stage;
	task.worker_id = worker;
	task.duration_us = duration_us;
	return task;
}

TEST(MeasuredCosts, TheBusiestWorkerOfEachStageCounts) {
	EXPECT_EQ(BusyTime({}), 0U);
	EXPECT_EQ(BusyTime({Task(0, "a", 500), Task(0, "a", 300), Task(0, "b", 700), Task(1, "b", 100)}), 900U);
}

TEST(MeasuredCosts, StagesGoTowardsWhatQueriesShow) {
	MeasuredCosts costs;
	auto before = costs.Get().stage_us;
	// two stages, of which 20 ms were no work
	for (auto i = 0; i < 100; i++) {
		costs.NoteStages({Task(0, "a", 5000), Task(1, "a", 5000)}, 2, 30000);
	}
	EXPECT_GT(costs.Get().stage_us, before);
	EXPECT_NEAR(costs.Get().stage_us, 10000, 100);
}

TEST(MeasuredCosts, OneQueryChangesLittle) {
	MeasuredCosts costs;
	auto before = costs.Get().stage_us;
	costs.NoteStages({Task(0, "a", 1000)}, 1, 3600000000);
	EXPECT_LT(costs.Get().stage_us, before + 20001);
	// stages that overlapped look as if they had taken less than nothing
	for (auto i = 0; i < 1000; i++) {
		costs.NoteStages({Task(0, "a", 1000), Task(1, "b", 1000)}, 2, 1200);
	}
	EXPECT_GT(costs.Get().stage_us, 0);
	costs.NoteStages({}, 0, 1000);
}

TEST(MeasuredCosts, OnlyLargeTransfersSayWhatBytesCost) {
	MeasuredCosts costs;
	auto before = costs.Get().byte_ns;
	costs.NoteTransfer(1000, 50000);
	EXPECT_EQ(costs.Get().byte_ns, before);
	for (auto i = 0; i < 100; i++) {
		costs.NoteTransfer(10 << 20, 50 << 20);
	}
	EXPECT_GT(costs.Get().byte_ns, before);
	EXPECT_LE(costs.Get().byte_ns, 5000);
}

} // namespace
} // namespace duckherder
