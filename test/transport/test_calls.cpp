#include "chunk_rows.hpp"
#include "sample_messages.hpp"
#include "transports.hpp"

//! Connect, control calls, and everything at once, over both transports
namespace duckherder {
namespace {

using duckdb::ExceptionType;

class TransportCalls : public TransportTest {};

TEST_P(TransportCalls, GetInfoTellsEverything) {
	auto sample = SampleWorkerInfo();
	ExpectAllSet(sample);
	auto channel = Connect();
	worker->info = sample;
	EXPECT_TRUE(channel->GetInfo() == sample);
}

TEST_P(TransportCalls, LoadExtensionKeepsErrorClass) {
	auto channel = Connect();
	channel->LoadExtension("it's a/path with spaces");
	EXPECT_EQ(worker->Extensions(), std::vector<std::string> {"it's a/path with spaces"});
	for (auto type :
	     {ExceptionType::IO, ExceptionType::INVALID_INPUT, ExceptionType::PERMISSION, ExceptionType::HTTP}) {
		worker->load_extension = [type](const std::string &) { throw duckdb::Exception(type, "no such extension"); };
		ExpectError(ErrorOf([&] { channel->LoadExtension("tpch"); }), type, {"no such extension"});
	}
	worker->load_extension = nullptr;
	channel->LoadExtension("tpch");
	EXPECT_EQ(worker->Extensions().size(), 6U);
}

TEST_P(TransportCalls, DrainArrives) {
	Connect()->Drain();
	auto calls = worker->Calls();
	EXPECT_EQ(std::count(calls.begin(), calls.end(), "Drain"), 1);
}

TEST_P(TransportCalls, ErrorOfControlCallNamesTheWorker) {
	worker->load_extension = [](const std::string &) { throw duckdb::IOException("no such extension"); };
	auto error = ErrorOf([&] { Connect()->LoadExtension("tpch"); });
	ExpectError(error, ExceptionType::IO, AtWorker("no such extension"));
}

TEST_P(TransportCalls, UnknownWorkerIsAClearError) {
	auto error = ErrorOf([&] { connector->Connect({"w9", address.location}); });
	ExpectError(error, ExceptionType::IO, {"w9"});
	EXPECT_TRUE(worker->Calls().empty() || !IsFlight());
}

TEST_P(TransportCalls, WorkerThatLeftIsAClearError) {
	auto channel = Connect();
	if (IsFlight()) {
		loopback->node->RemoveWorker("w1");
		loopback->node->AddWorker("w3", loopback->other);
		ExpectError(ErrorOf([&] { channel->GetInfo(); }), ExceptionType::IO, {"w1"});
		ExpectError(ErrorOf([&] { ReadAll(*channel->Fetch(MakeFetch(), NumberTypes())); }), ExceptionType::IO, {"w1"});
		ExpectFailure(channel->RunTask(MakeRequest(), nullptr), ErrorKind::UNREACHABLE, ExceptionType::IO, {"w1"});
	} else {
		registry->Unregister("w1");
		ExpectError(ErrorOf([&] { Connect(); }), ExceptionType::IO, {"w1"});
		// whoever has it may go on with it
		EXPECT_EQ(channel->GetInfo().address.id, "w1");
	}
	EXPECT_TRUE(worker->Tasks().empty());
}

TEST_P(TransportCalls, WorkerCanBeReplaced) {
	auto successor = std::make_shared<ScriptedWorker>("w1");
	if (IsFlight()) {
		loopback->node->AddWorker("w1", successor);
	} else {
		registry->Register("w1", successor);
	}
	EXPECT_FALSE(Connect()->RunTask(MakeRequest(), nullptr).failed);
	EXPECT_EQ(successor->Tasks().size(), 1U);
	EXPECT_TRUE(worker->Tasks().empty());
}

TEST_P(TransportCalls, ManyThreadsShareOneConnector) {
	constexpr int THREADS = 8;
	constexpr int ROUNDS = 4;
	// every task counts the rows of its own feed, every output has as many chunks as its partition's number
	worker->run = [](const TaskRequest &, const ScriptedWorker::Feed &feed) {
		TaskResult result;
		result.partition_rows = {ReadAll(*feed, 2).size()};
		return result;
	};
	worker->fetch = [](const FetchRequest &request, const duckdb::vector<duckdb::LogicalType> &) {
		return NumbersThen(request.partition, [](ScriptedSource &) {});
	};
	std::vector<std::future<void>> threads;
	for (int number = 0; number < THREADS; number++) {
		threads.push_back(std::async(std::launch::async, [&, number] {
			for (int round = 0; round < ROUNDS; round++) {
				auto chunks = static_cast<uint32_t>(number * 20 + round);
				auto request = MakeRequest(true);
				request.query_id = "query-" + std::to_string(number);
				auto result = Connect()->RunTask(request, NumbersThen(chunks, [](ScriptedSource &) {}));
				EXPECT_FALSE(result.failed) << result.error.message;
				EXPECT_EQ(result.Rows(), chunks * STANDARD_VECTOR_SIZE);
				auto fetch = MakeFetch();
				fetch.partition = chunks;
				EXPECT_EQ(ReadAll(*Connect()->Fetch(fetch, NumberTypes())).size(), chunks * STANDARD_VECTOR_SIZE);
				EXPECT_EQ(Connect()->GetInfo().address.id, "w1");
				Connect()->CancelQuery(request.query_id);
			}
		}));
	}
	for (auto &thread : threads) {
		thread.get();
	}
	EXPECT_EQ(worker->Tasks().size(), THREADS * ROUNDS);
	EXPECT_EQ(worker->Fetches().size(), THREADS * ROUNDS);
	EXPECT_EQ(worker->CancelledQueries().size(), THREADS * ROUNDS);
}

TEST_P(TransportCalls, ServiceOutlivesItsConnector) {
	auto channel = Connect();
	connector.reset();
	EXPECT_EQ(channel->GetInfo().address.id, "w1");
	EXPECT_FALSE(channel->RunTask(MakeRequest(), nullptr).failed);
}

TEST_P(TransportCalls, LocationOfAnotherKindIsRefused) {
	for (auto location : {"", "host", "http://127.0.0.1:1", "grpc://", "grpc://127.0.0.1:not-a-port"}) {
		SCOPED_TRACE(location);
		auto error = ErrorOf([&] { connector->Connect({"w1", location}); });
		ASSERT_TRUE(error.HasError());
		auto type = error.Type();
		EXPECT_TRUE(type == ExceptionType::IO || (IsFlight() && type == ExceptionType::INVALID_INPUT))
		    << error.Message();
	}
}

INSTANTIATE_TEST_SUITE_P(Over, TransportCalls, BothTransports(), TransportName);

} // namespace
} // namespace duckherder
