#include "coordinator/gather_outputs.hpp"
#include "coordinator/runtime_filters.hpp"
#include "coordinator/task_dispatcher.hpp"
#include "coordinator/worker_watch.hpp"

#include "duckdb/common/exception.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

//! The parts of a coordinator, each by itself: no sockets, no queries.
namespace duckherder {
namespace {

class SteppedClock : public Clock {
public:
	uint64_t NowUs() const override {
		return now_us;
	}
	void Step(TimeMs ms) {
		now_us += ms * 1000;
	}

private:
	std::atomic<uint64_t> now_us {1000000000};
};

//! No worker can be reached. Remembers whose calls were cut.
class DeadConnector : public WorkerConnector {
public:
	std::shared_ptr<WorkerService> Connect(const WorkerAddress &address) override {
		throw duckdb::IOException("cannot reach worker %s", address.id);
	}
	void GiveUp(const QueryId &, const std::string &location) override {
		given_up.push_back(location);
	}
	std::vector<std::string> given_up;
};

WorkerInfo Worker(const std::string &id, const std::string &incarnation) {
	WorkerInfo info;
	info.address = {id, "grpc://" + id};
	info.incarnation = incarnation;
	info.state = WorkerState::ACTIVE;
	info.sends_heartbeats = true;
	return info;
}

struct Services {
	Services() {
		services.clock = clock;
		services.cluster = std::make_shared<Cluster>(clock);
		services.connector = connector;
		services.pool = pool;
	}
	//! Waits for what the pool has to do
	void Settle() {
		pool->Close();
	}

	std::shared_ptr<SteppedClock> clock = std::make_shared<SteppedClock>();
	std::shared_ptr<DeadConnector> connector = std::make_shared<DeadConnector>();
	std::shared_ptr<DispatchPool> pool = std::make_shared<DispatchPool>();
	CoordinatorServices services;
};

struct WatchFixture : Services {
	WatchFixture()
	    : watch(
	          "q", services, [this](const SchedulerEvent &event) { events.push_back(event); },
	          [this](const WorkerId &id, const std::optional<WorkerInfo> &) { answered.push_back(id); }) {
		watch.NoteMembers({Worker("w0", "a"), Worker("w1", "b")});
	}
	template <class EVENT>
	bool Reported(const WorkerId &id) const {
		return std::any_of(events.begin(), events.end(), [&](const SchedulerEvent &event) {
			auto found = std::get_if<EVENT>(&event);
			return found && found->worker == id;
		});
	}

	std::vector<SchedulerEvent> events;
	std::vector<WorkerId> answered;
	WorkerWatch watch;
};

TEST(GatherOutputs, AreReadyUntilTheyAreLost) {
	std::atomic<bool> interrupted {false};
	GatherOutputs outputs([&] { return interrupted.load(); });
	TaskKey task {2, 1};
	EXPECT_FALSE(outputs.IfReady(task));
	outputs.SetReady(task, {3, {"w0", "grpc://w0"}, nullptr});
	ASSERT_TRUE(outputs.IfReady(task));
	EXPECT_EQ(outputs.IfReady(task)->attempt, 3u);
	EXPECT_FALSE(outputs.Remove(task, 2)) << "a newer one is there";
	EXPECT_TRUE(outputs.Remove(task, 3));
	EXPECT_FALSE(outputs.IfReady(task));
	interrupted = true;
	EXPECT_THROW(outputs.IfReady(task), duckdb::InterruptException);
}

TEST(GatherOutputs, ThrowTheFirstFailureAndTheSessionsOwnError) {
	std::atomic<bool> interrupted {false};
	GatherOutputs outputs([&] { return interrupted.load(); });
	TaskError first;
	first.kind = ErrorKind::USER;
	first.exception_type = "Conversion";
	first.message = "the first one";
	TaskError second = first;
	second.message = "the second one";
	outputs.Fail(first);
	outputs.Fail(second);
	try {
		outputs.ThrowIfFailed();
		FAIL() << "no failure";
	} catch (std::exception &error) {
		EXPECT_NE(std::string(error.what()).find("the first one"), std::string::npos) << error.what();
	}
	outputs.NoteFeedFailure(duckdb::ErrorData(duckdb::ExceptionType::IO, "the file is gone"));
	try {
		outputs.ThrowIfFailed();
		FAIL() << "no failure";
	} catch (std::exception &error) {
		EXPECT_EQ(duckdb::ErrorData(error).Type(), duckdb::ExceptionType::IO) << error.what();
	}
}

TEST(RuntimeFilters, AreMadeOfTheKeysOfAllTasksOnce) {
	RuntimeFilters filters;
	for (int64_t number : {1, 5}) {
		KeySet keys(duckdb::LogicalType::BIGINT, KeySet::LOG2_BITS_MIN);
		duckdb::Vector values(duckdb::Value::BIGINT(number));
		keys.Add(values, 1);
		filters.Add(0, {keys});
	}
	PlannedScanFilter planned;
	planned.column = 4;
	auto &made = filters.Of(1, {planned});
	ASSERT_EQ(made.size(), 1u);
	EXPECT_EQ(made[0].keys->Smallest(), duckdb::Value::BIGINT(1));
	EXPECT_EQ(made[0].keys->Largest(), duckdb::Value::BIGINT(5));
	EXPECT_EQ(&filters.Of(1, {planned}), &made);
	auto sent = filters.ForTask(1, {planned});
	ASSERT_EQ(sent.size(), 1u);
	EXPECT_EQ(sent[0].column, 4u);
	EXPECT_EQ(sent[0].key_set, made[0].encoded) << "encoded once, for all tasks";
}

TEST(TaskDispatcher, HangsUpOnWorkersThatDoNotConfirm) {
	Services given;
	std::atomic<bool> interrupted {false};
	ReportedKeys keys;
	GatherOutputs outputs([&] { return interrupted.load(); });
	TaskDispatcher dispatcher("q", given.services, keys, outputs);
	dispatcher.HangUp();
	dispatcher.StopAll({{"w0", "grpc://w0"}});
	EXPECT_TRUE(dispatcher.Stopped());
	dispatcher.HangUp();
	EXPECT_TRUE(given.connector->given_up.empty()) << "it still has time to confirm";
	given.clock->Step(limits::CANCEL_CALL_TIMEOUT_MS);
	dispatcher.HangUp();
	dispatcher.HangUp();
	EXPECT_EQ(given.connector->given_up.size(), 2u) << "a call may begin after the first time";
	given.Settle();
}

TEST(TaskDispatcher, SaysThatAWorkerIsUnreachable) {
	Services given;
	std::atomic<bool> interrupted {false};
	ReportedKeys keys;
	GatherOutputs outputs([&] { return interrupted.load(); });
	TaskDispatcher dispatcher("q", given.services, keys, outputs);
	AttemptCall call;
	call.worker = {"w0", "grpc://w0"};
	auto result = dispatcher.Run(call);
	EXPECT_TRUE(result.failed);
	EXPECT_EQ(result.error.kind, ErrorKind::UNREACHABLE);
}

TEST(WorkerWatch, ReportsWhoJoinsAndWhoIsStartedAgain) {
	WatchFixture given;
	EXPECT_TRUE(given.Reported<event::WorkerJoined>("w0"));
	EXPECT_TRUE(given.Reported<event::WorkerJoined>("w1"));
	given.events.clear();
	given.watch.NoteMembers({Worker("w0", "c"), Worker("w1", "b")});
	EXPECT_TRUE(given.Reported<event::WorkerLost>("w0"));
	EXPECT_TRUE(given.Reported<event::WorkerJoined>("w0"));
	EXPECT_FALSE(given.Reported<event::WorkerLost>("w1"));
	given.events.clear();
	given.watch.NoteMembers({Worker("w0", "a"), Worker("w1", "b")});
	EXPECT_TRUE(given.events.empty()) << "an old list";
	EXPECT_THROW(given.watch.AddressOf("nobody"), duckdb::InternalException);
}

TEST(WorkerWatch, AsksWhoTheWorkerIsThatSaysItWasReplaced) {
	WatchFixture given;
	TaskError error;
	error.kind = ErrorKind::REPLACED;
	given.watch.NoteFailure("w0", error);
	EXPECT_TRUE(given.Reported<event::WorkerDraining>("w0")) << "it gets no tasks that it would refuse again";
	EXPECT_EQ(given.watch.IncarnationOf("w0"), "a");
	given.Settle();
	given.events.clear();
	given.watch.NoteAnswer("w0", Worker("w0", "c"));
	EXPECT_TRUE(given.Reported<event::WorkerLost>("w0")) << "what the former one has made";
	EXPECT_TRUE(given.Reported<event::WorkerJoined>("w0"));
	EXPECT_EQ(given.watch.IncarnationOf("w0"), "c");
}

TEST(WorkerWatch, LosesASuspectThatStaysSilent) {
	WatchFixture given;
	TaskError error;
	error.kind = ErrorKind::UNREACHABLE;
	given.watch.NoteFailure("w0", error);
	EXPECT_TRUE(given.Reported<event::WorkerDraining>("w0"));
	given.Settle();
	EXPECT_EQ(given.answered, std::vector<WorkerId> {"w0"});
	given.watch.NoteAnswer("w0", std::nullopt);
	EXPECT_FALSE(given.Reported<event::WorkerLost>("w0"));
	given.clock->Step(limits::SUSPECT_LOST_MS);
	given.watch.NoteAnswer("w0", std::nullopt);
	EXPECT_TRUE(given.Reported<event::WorkerLost>("w0"));
	EXPECT_EQ(given.connector->given_up, std::vector<std::string> {"grpc://w0"});
}

} // namespace
} // namespace duckherder
