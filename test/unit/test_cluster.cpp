#include "cluster/cluster.hpp"

#include "duckdb.hpp"
#include "duckdb/common/error_data.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

//! Who may call itself what in a driver's list, and how workers leave it.
namespace duckherder {
namespace {

class SetClock : public Clock {
public:
	uint64_t NowUs() const override {
		return now_ms * 1000;
	}
	TimeMs now_ms = 1000;
};

class ClusterTest : public ::testing::Test {
protected:
	static WorkerInfo Worker(const std::string &incarnation, const std::string &location, const std::string &id = "w") {
		WorkerInfo info;
		info.address = {id, location};
		info.incarnation = incarnation;
		info.duckdb_version = duckdb::DuckDB::LibraryVersion();
		return info;
	}

	//! Empty if it was taken
	std::string Register(const WorkerInfo &worker) {
		try {
			cluster.RegisterWorker(worker);
			return "";
		} catch (duckdb::InvalidInputException &error) {
			duckdb::ErrorData data(error);
			auto info = data.ExtraInfo();
			EXPECT_EQ(info[REFUSAL_FIELD], ID_TAKEN);
			return data.RawMessage();
		}
	}

	std::string HolderOf(const std::string &id) {
		for (auto &worker : cluster.ListWorkers()) {
			if (worker.address.id == id && worker.state == WorkerState::ACTIVE) {
				return worker.incarnation;
			}
		}
		return "";
	}

	std::shared_ptr<SetClock> clock = std::make_shared<SetClock>();
	Cluster cluster {clock};
};

TEST_F(ClusterTest, ALiveIdIsRefusedWithBothAddresses) {
	EXPECT_EQ(Register(Worker("first", "grpc://a:1")), "");
	auto refusal = Register(Worker("second", "grpc://b:1"));
	EXPECT_NE(refusal.find("grpc://a:1"), std::string::npos) << refusal;
	EXPECT_NE(refusal.find("grpc://b:1"), std::string::npos) << refusal;
	EXPECT_FALSE(cluster.Heartbeat(Worker("second", "grpc://b:1")));
	EXPECT_EQ(HolderOf("w"), "first");
	EXPECT_TRUE(cluster.Heartbeat(Worker("first", "grpc://a:1")));
}

TEST_F(ClusterTest, AProcessAtTheSameAddressTakesItsIdAtOnce) {
	EXPECT_EQ(Register(Worker("first", "grpc://a:1")), "");
	EXPECT_EQ(Register(Worker("second", "grpc://a:1")), "");
	EXPECT_EQ(HolderOf("w"), "second");
	EXPECT_FALSE(cluster.Heartbeat(Worker("first", "grpc://a:1")));
}

TEST_F(ClusterTest, TwoThatClaimTheSameAddressDoNotTakeTurns) {
	EXPECT_EQ(Register(Worker("first", "grpc://a:1")), "");
	EXPECT_EQ(Register(Worker("second", "grpc://a:1")), "");
	EXPECT_NE(Register(Worker("first", "grpc://a:1")), "");
	EXPECT_EQ(HolderOf("w"), "second");
}

TEST_F(ClusterTest, TheIdOfALostWorkerIsFree) {
	EXPECT_EQ(Register(Worker("first", "grpc://a:1")), "");
	clock->now_ms += limits::HEARTBEAT_LOST_MS + 1;
	EXPECT_EQ(Register(Worker("second", "grpc://b:1")), "");
	EXPECT_EQ(HolderOf("w"), "second");
	// the former one was only silent
	EXPECT_FALSE(cluster.Heartbeat(Worker("first", "grpc://a:1")));
	EXPECT_NE(Register(Worker("first", "grpc://a:1")), "");
}

TEST_F(ClusterTest, OnlyItsHolderGivesAnIdBack) {
	EXPECT_EQ(Register(Worker("first", "grpc://a:1")), "");
	EXPECT_NE(Register(Worker("second", "grpc://b:1")), "");
	cluster.UnregisterWorker("w", "second");
	EXPECT_EQ(HolderOf("w"), "first");
	cluster.UnregisterWorker("w", "first");
	EXPECT_EQ(HolderOf("w"), "");
	EXPECT_EQ(Register(Worker("second", "grpc://b:1")), "");
}

TEST_F(ClusterTest, ABrokenWorkerLeavesAtOnce) {
	auto worker = Worker("first", "grpc://a:1");
	EXPECT_EQ(Register(worker), "");
	worker.state = WorkerState::BROKEN;
	cluster.Heartbeat(worker);
	EXPECT_TRUE(cluster.ListWorkers().empty());
}

TEST_F(ClusterTest, AnAddedWorkerIsLostUntilItHasAnotherDatabase) {
	cluster.AddWorker(Worker("first", "inproc"));
	cluster.NoteBroken("w", "another");
	EXPECT_EQ(HolderOf("w"), "first");
	cluster.NoteBroken("w", "first");
	EXPECT_TRUE(cluster.ActiveWorkers().empty());
	EXPECT_EQ(cluster.ListWorkers().at(0).state, WorkerState::LOST);
	cluster.NoteAnswer(Worker("first", "inproc"));
	EXPECT_TRUE(cluster.ActiveWorkers().empty());
	cluster.NoteAnswer(Worker("second", "inproc"));
	EXPECT_EQ(HolderOf("w"), "second");
}

} // namespace
} // namespace duckherder
