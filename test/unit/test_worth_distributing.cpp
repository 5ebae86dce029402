#include "planner/place/worth_distributing.hpp"

#include <gtest/gtest.h>

namespace duckherder {
namespace {

constexpr uint64_t GIB = 1ULL << 30;

Machines With(uint32_t session_threads, uint32_t workers, uint32_t threads_each) {
	Machines machines;
	machines.session_threads = session_threads;
	machines.session_memory_bytes = 4 * GIB;
	machines.workers = workers;
	machines.worker_threads = workers * threads_each;
	machines.worker_memory_bytes = workers * 4 * GIB;
	return machines;
}

OperatorWork Scan(double rows, double columns) {
	OperatorWork scan;
	scan.kind = WorkKind::SCAN;
	scan.rows = scan.result_rows = rows;
	scan.fixed_values = columns;
	scan.decodes = true;
	return scan;
}

//! A scan whose rows are counted: one stage, next to nothing for the session.
PlanWork CountOf(double rows) {
	PlanWork work;
	work.operators.push_back(Scan(rows, 4));
	work.exchanges.push_back({ExchangeKind::RESULT, 100});
	return work;
}

TEST(WorthDistributing, ManyRowsOnManyThreads) {
	auto verdict = Judge(CountOf(100e6), With(2, 4, 4));
	EXPECT_TRUE(verdict.distribute);
	EXPECT_LT(verdict.workers_ms, verdict.session_ms / 3);
}

TEST(WorthDistributing, FewRowsStay) {
	auto verdict = Judge(CountOf(10000), With(2, 16, 16));
	EXPECT_FALSE(verdict.distribute);
	EXPECT_LT(verdict.session_ms, verdict.workers_ms);
}

TEST(WorthDistributing, AsManyThreadsAreNoGain) {
	for (auto rows : {1e4, 1e6, 1e9}) {
		EXPECT_FALSE(Judge(CountOf(rows), With(4, 2, 2)).distribute) << rows;
		EXPECT_FALSE(Judge(CountOf(rows), With(4, 1, 1)).distribute) << rows;
	}
	EXPECT_FALSE(CouldBeFaster(With(4, 2, 2)));
	EXPECT_TRUE(CouldBeFaster(With(4, 2, 4)));
}

//! Threads beyond the row groups do nothing on one machine, and each worker gets rows of its own.
TEST(WorthDistributing, ThreadsShareRowGroups) {
	auto one_group = SessionTime(CountOf(100000), With(1, 1, 1));
	EXPECT_DOUBLE_EQ(SessionTime(CountOf(100000), With(16, 1, 1)), one_group);
	EXPECT_LT(SessionTime(CountOf(1000000), With(16, 1, 1)), SessionTime(CountOf(1000000), With(1, 1, 1)) / 4);
}

TEST(WorthDistributing, MovingEveryRowIsNoGain) {
	auto work = CountOf(10e6);
	work.exchanges.push_back({ExchangeKind::RESULT, 10e6 * 100});
	EXPECT_FALSE(Judge(work, With(2, 4, 4)).distribute);
	work.exchanges.back().kind = ExchangeKind::HASH;
	auto hashed = Judge(work, With(2, 4, 4)).workers_ms;
	work.exchanges.back().kind = ExchangeKind::BROADCAST;
	EXPECT_LT(hashed, Judge(work, With(2, 4, 4)).workers_ms);
}

TEST(WorthDistributing, WhatTheSessionFeedsGainsNothing) {
	auto work = CountOf(10e6);
	EXPECT_TRUE(Judge(work, With(2, 4, 4)).distribute);
	work.operators[0].place = WorkPlace::SESSION;
	work.fed_bytes = 10e6 * 32;
	EXPECT_FALSE(Judge(work, With(2, 4, 4)).distribute);
}

TEST(WorthDistributing, EachWorkerBuildsABroadcastSide) {
	auto machines = With(1, 4, 1);
	auto work = CountOf(4e6);
	OperatorWork build;
	build.kind = WorkKind::BUILD;
	build.rows = 4e6;
	work.operators.push_back(build);
	auto shared = Judge(work, machines).workers_ms;
	work.operators.back().place = WorkPlace::EACH_WORKER;
	EXPECT_GT(Judge(work, machines).workers_ms, shared * 2);
}

TEST(WorthDistributing, MeasuredStagesCount) {
	auto machines = With(1, 4, 1);
	auto work = CountOf(4e6);
	EXPECT_TRUE(Judge(work, machines).distribute);
	machines.costs.stage_us = 100000;
	auto verdict = Judge(work, machines);
	EXPECT_FALSE(verdict.distribute);
	EXPECT_GT(verdict.workers_ms, 100);
}

TEST(WorthDistributing, MeasuredBytesCount) {
	auto machines = With(1, 8, 1);
	auto work = CountOf(10e6);
	work.exchanges.push_back({ExchangeKind::RESULT, 10e6});
	EXPECT_TRUE(Judge(work, machines).distribute);
	machines.costs.byte_ns = 100;
	EXPECT_FALSE(Judge(work, machines).distribute);
}

TEST(WorthDistributing, StoresAreReadByManyMachines) {
	auto work = CountOf(1e6);
	work.store_bytes = 1e9;
	EXPECT_TRUE(Judge(work, With(4, 4, 1)).distribute);
}

TEST(WorthDistributing, WhatOneMachineCannotHold) {
	auto machines = With(4, 2, 1);
	auto work = CountOf(10e6);
	work.held_bytes = 5.0 * GIB;
	EXPECT_FALSE(Judge(work, machines).distribute);
	work.held_bytes = 10.0 * GIB;
	auto verdict = Judge(work, machines);
	EXPECT_TRUE(verdict.distribute);
	EXPECT_NE(verdict.reason.find("hold"), std::string::npos) << verdict.reason;
	// workers with less memory would not hold it either
	machines.worker_memory_bytes = 2 * GIB;
	EXPECT_FALSE(Judge(work, machines).distribute);
}

TEST(WorthDistributing, SaysWhatItEstimates) {
	auto verdict = Judge(CountOf(100000), With(1, 3, 1));
	EXPECT_EQ(verdict.reason.find("one machine is estimated to take "), 0U) << verdict.reason;
	EXPECT_NE(verdict.reason.find(" ms, 3 workers "), std::string::npos) << verdict.reason;
}

} // namespace
} // namespace duckherder
