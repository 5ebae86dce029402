#include "cluster/admission.hpp"

#include "duckdb.hpp"

#include <gtest/gtest.h>

#include <future>

//! Which of several queries may run
namespace duckherder {
namespace {

using duckdb::ConnectionException;

class OwnClock : public Clock {
public:
	uint64_t NowUs() const override {
		return now_ms * 1000;
	}
	std::atomic<TimeMs> now_ms {1000};
};

class AdmissionTest : public testing::Test {
protected:
	bool Ask(const QueryId &query, const std::string &session = "s") {
		return admission.Admit(query, session, 0);
	}

	std::shared_ptr<OwnClock> clock = std::make_shared<OwnClock>();
	AdmissionLimits limits {2, 3, 5000, 1000};
	Admission admission {clock, limits};
};

TEST_F(AdmissionTest, SoManyRunAndTheOthersWaitInOrder) {
	EXPECT_TRUE(Ask("a"));
	EXPECT_TRUE(Ask("b"));
	EXPECT_FALSE(Ask("c"));
	EXPECT_FALSE(Ask("d"));
	EXPECT_TRUE(Ask("a")) << "who runs may ask again";
	EXPECT_EQ(admission.RunningCount(), 2U);
	EXPECT_EQ(admission.QueuedCount(), 2U);
	admission.Release("a");
	admission.Release("a");
	EXPECT_FALSE(Ask("d"));
	EXPECT_TRUE(Ask("c"));
	admission.Release("d");
	admission.Release("b");
	EXPECT_EQ(admission.RunningCount(), 1U);
	EXPECT_EQ(admission.QueuedCount(), 0U);
}

TEST_F(AdmissionTest, SessionsTakeTurns) {
	EXPECT_TRUE(Ask("x1", "x"));
	EXPECT_TRUE(Ask("x2", "x"));
	EXPECT_FALSE(Ask("x3", "x"));
	EXPECT_FALSE(Ask("x4", "x"));
	EXPECT_FALSE(Ask("y1", "y"));
	admission.Release("x1");
	EXPECT_TRUE(Ask("x3", "x"));
	admission.Release("x2");
	EXPECT_FALSE(Ask("x4", "x")) << "it is the other session's turn, although it came later";
	EXPECT_TRUE(Ask("y1", "y"));
}

TEST_F(AdmissionTest, FullQueueRefuses) {
	for (auto query : {"a", "b", "c", "d", "e"}) {
		Ask(query);
	}
	EXPECT_THROW(Ask("f"), ConnectionException);
	EXPECT_EQ(admission.QueuedCount(), 3U);
	admission.Release("c");
	EXPECT_FALSE(Ask("f"));
}

TEST_F(AdmissionTest, WaitingEndsAfterItsTime) {
	Ask("a");
	Ask("b");
	for (auto i = 0; i < 10; i++) {
		EXPECT_FALSE(Ask("c"));
		admission.RenewLease("a");
		admission.RenewLease("b");
		clock->now_ms += 500;
	}
	EXPECT_THROW(Ask("c"), ConnectionException);
	EXPECT_EQ(admission.QueuedCount(), 0U);
}

TEST_F(AdmissionTest, PlacesOfSilentQueriesAreGivenAway) {
	Ask("a");
	Ask("b");
	Ask("c");
	clock->now_ms += 900;
	admission.RenewLease("b");
	EXPECT_FALSE(Ask("c"));
	clock->now_ms += 200;
	EXPECT_TRUE(Ask("c")) << "nobody has heard of a";
	EXPECT_EQ(admission.RunningCount(), 2U);
	clock->now_ms += 5000;
	EXPECT_EQ(admission.RunningCount(), 0U);
	admission.RenewLease("a");
	EXPECT_EQ(admission.RunningCount(), 0U);
}

TEST_F(AdmissionTest, WaitingCallIsWokenUp) {
	Ask("a");
	Ask("b");
	auto waiting = std::async(std::launch::async, [&] { return admission.Admit("c", "s", 60000); });
	while (admission.QueuedCount() == 0) {
		std::this_thread::yield();
	}
	admission.Release("a");
	EXPECT_TRUE(waiting.get());
}

TEST_F(AdmissionTest, KilledQueriesAreToldWhenTheyAskOrRenew) {
	EXPECT_TRUE(Ask("a"));
	EXPECT_TRUE(Ask("b"));
	EXPECT_FALSE(Ask("c"));
	EXPECT_FALSE(admission.Kill("nobody"));
	EXPECT_FALSE(admission.RenewLease("a"));
	EXPECT_TRUE(admission.Kill("a"));
	EXPECT_TRUE(admission.RenewLease("a")) << "it runs until its session ends it";
	EXPECT_EQ(admission.RunningCount(), 2U);
	auto waits = std::async(std::launch::async, [&] { return admission.Admit("c", "s", 60000); });
	EXPECT_TRUE(admission.Kill("c"));
	EXPECT_THROW(waits.get(), duckdb::InterruptException);
	admission.Release("c");
	admission.Release("a");
	EXPECT_EQ(admission.RunningCount(), 1U);
	EXPECT_FALSE(admission.RenewLease("a")) << "it is forgotten";
}

TEST_F(AdmissionTest, MoreRoomAdmits) {
	Ask("a");
	Ask("b");
	EXPECT_FALSE(Ask("c"));
	limits.running_max = 3;
	admission.SetLimits(limits);
	EXPECT_TRUE(Ask("c"));
}

} // namespace
} // namespace duckherder
