#include "chunk_rows.hpp"
#include "common/limits.hpp"
#include "raw_client.hpp"
#include "sample_messages.hpp"
#include "tcp_proxy.hpp"

//! Nodes that stop, clients that hang up and networks that break: an error, never a short answer, never a hang
namespace duckherder {
namespace {

using duckdb::ExceptionType;
using duckdb::idx_t;

class FlightFailures : public testing::Test {
protected:
	void Serve(std::shared_ptr<ChunkSource> output) {
		std::lock_guard<std::mutex> guard(lock);
		served = std::move(output);
		if (!node.worker->fetch) {
			node.worker->fetch = [this](const FetchRequest &, const duckdb::vector<duckdb::LogicalType> &) {
				std::lock_guard<std::mutex> served_guard(lock);
				return served;
			};
		}
	}
	//! The task reads its feed and counts the rows, unless it has none: then it waits until somebody stops it
	void CountFeed() {
		node.worker->run = [this](const TaskRequest &, const ScriptedWorker::Feed &feed) {
			TaskResult result;
			if (!feed) {
				EXPECT_TRUE(node.worker->stopped.Wait(3 * PATIENCE));
				throw duckdb::InterruptException();
			}
			result.partition_rows = {ReadAll(*feed).size()};
			return result;
		};
	}

	//! A task that has read its feed and then runs until it is stopped. A client sends a feed's rows only after it has
	//! heard that the worker took the task; that the worker runs it says less, as its word may still be on the way.
	std::future<TaskResult> RunTaken(WorkerService &channel) {
		auto read = std::make_shared<Signal>();
		node.worker->run = [this, read](const TaskRequest &, const ScriptedWorker::Feed &feed) -> TaskResult {
			ReadAll(*feed);
			read->Set();
			EXPECT_TRUE(node.worker->stopped.Wait(3 * PATIENCE));
			throw duckdb::InterruptException();
		};
		auto running = std::async(std::launch::async, [&channel] {
			return channel.RunTask(MakeRequest(true), NumbersThen(100, [](ScriptedSource &) {}));
		});
		EXPECT_TRUE(read->Wait());
		return running;
	}

	TimeLimit limit;
	//! The node may still serve a call whose client has been cut off
	std::mutex lock;
	std::shared_ptr<ChunkSource> served;
	LoopbackNode node;
	TcpProxy proxy {node.node->Port()};
	std::shared_ptr<WorkerConnector> through_proxy = node.MakeConnector();
	WorkerAddress proxied {"w1", proxy.Location()};
};

TEST_F(FlightFailures, NodeThatStopsEndsItsStreamsWithAnError) {
	// endless, so that the reader is in the middle whenever the node stops
	Signal reading;
	auto endless = std::make_shared<ScriptedSource>(NumberTypes(), [&](ScriptedSource &, idx_t number, auto &chunk) {
		if (number == 200) {
			reading.Set();
		}
		FillNumbers(number, chunk);
	});
	Serve(endless);
	auto output = node.Connect()->Fetch(MakeFetch(), NumberTypes());
	auto reader = std::async(std::launch::async, [&] { return ErrorOf([&] { ReadAll(*output); }); });
	ASSERT_TRUE(reading.Wait());
	node.node->Stop();
	ExpectError(reader.get(), ExceptionType::IO, {"w1"});
}

TEST_F(FlightFailures, NodeThatStopsFailsItsTasksAsAPlace) {
	auto channel = node.Connect();
	auto running = RunTaken(*channel);
	node.node->Stop();
	ExpectFailure(running.get(), ErrorKind::DISCONNECTED, ExceptionType::IO, {"w1"});
	ASSERT_FALSE(node.worker->StoppedAttempts().empty());
	EXPECT_TRUE(node.worker->StoppedAttempts()[0] == MakeRequest(true));
}

TEST_F(FlightFailures, NodeThatStopsEndsTasksThatWaitForTheirFeed) {
	CountFeed();
	auto channel = node.Connect();
	auto feed = NumbersThen(100, [](ScriptedSource &source) { EXPECT_TRUE(source.BlockUntilCancelled()); });
	auto running = std::async(std::launch::async, [&] { return channel->RunTask(MakeRequest(true), feed); });
	ASSERT_TRUE(feed->blocked.Wait());
	node.node->Stop();
	ExpectFailure(running.get(), ErrorKind::DISCONNECTED, ExceptionType::IO, {"w1"});
}

TEST_F(FlightFailures, CallsToNodeThatStoppedFail) {
	auto channel = node.Connect();
	node.node->Stop();
	auto feed = NumbersThen(1000, [](ScriptedSource &) {});
	ExpectFailure(channel->RunTask(MakeRequest(true), feed), ErrorKind::UNREACHABLE, ExceptionType::IO,
	              {"w1", node.location});
	EXPECT_TRUE(feed->cancelled.Happened());
	auto expect_unreachable = [&](const std::function<void()> &call) {
		ExpectError(ErrorOf(call), ExceptionType::IO, {"worker w1", node.location});
	};
	expect_unreachable([&] { ReadAll(*channel->Fetch(MakeFetch(), NumberTypes())); });
	expect_unreachable([&] { channel->GetInfo(); });
	expect_unreachable([&] { channel->CancelQuery("query-1"); });
	expect_unreachable([&] { channel->LoadExtension("tpch"); });
	EXPECT_TRUE(node.worker->Tasks().empty());
}

TEST_F(FlightFailures, TaskWhoseClientHangsUpIsStopped) {
	CountFeed();
	RawClient raw(node);
	auto exchange = raw.RunTask(MakeRequest());
	ASSERT_TRUE(node.worker->started.Wait());
	exchange.reader->Cancel();
	EXPECT_TRUE(node.worker->stopped.Wait());
	// only that attempt: the query may go on elsewhere
	EXPECT_TRUE(node.worker->StoppedAttempts()[0] == MakeRequest());
	EXPECT_TRUE(node.worker->CancelledQueries().empty());
	auto closed = exchange.writer->Close();
	static_cast<void>(closed);
}

TEST_F(FlightFailures, OneOfTwoAttemptsIsStopped) {
	Signal second_runs;
	Signal go;
	node.worker->run = [&](const TaskRequest &request, const ScriptedWorker::Feed &) {
		if (request.attempt == 1) {
			second_runs.Set();
			EXPECT_TRUE(node.worker->stopped.Wait());
			throw duckdb::InterruptException();
		}
		EXPECT_TRUE(go.Wait());
		return TaskResult();
	};
	auto channel = node.Connect();
	TaskRequest requests[] = {MakeRequest(), MakeRequest()};
	requests[0].attempt = 0;
	requests[1].attempt = 1;
	auto first = std::async(std::launch::async, [&] { return channel->RunTask(requests[0], nullptr); });
	auto second = std::async(std::launch::async, [&] { return channel->RunTask(requests[1], nullptr); });
	ASSERT_TRUE(second_runs.Wait());
	auto control = std::dynamic_pointer_cast<AttemptControl>(channel);
	ASSERT_TRUE(control);
	control->StopAttempt(requests[1]);
	EXPECT_TRUE(second.get().failed);
	EXPECT_TRUE(node.worker->stopped.Wait());
	EXPECT_EQ(node.worker->StoppedAttempts()[0].attempt, 1U);
	go.Set();
	EXPECT_FALSE(first.get().failed);
}

TEST_F(FlightFailures, FeedOfClientThatHangsUpIsNoEnd) {
	Signal failed;
	node.worker->run = [&](const TaskRequest &, const ScriptedWorker::Feed &feed) {
		auto error = ErrorOf([&] { ReadAll(*feed); });
		EXPECT_TRUE(error.HasError()) << "the feed looked complete";
		failed.Set();
		return TaskResult();
	};
	RawClient raw(node);
	auto exchange = raw.RunTask(MakeRequest(true));
	ASSERT_TRUE(node.worker->started.Wait());
	exchange.reader->Cancel();
	EXPECT_TRUE(failed.Wait());
	auto closed = exchange.writer->Close();
	static_cast<void>(closed);
}

TEST_F(FlightFailures, TaskWhoseConnectionBreaksFailsAtBothEnds) {
	auto channel = through_proxy->Connect(proxied);
	auto running = RunTaken(*channel);
	proxy.Cut();
	ExpectFailure(running.get(), ErrorKind::DISCONNECTED, ExceptionType::IO, {"w1", proxy.Location()});
	EXPECT_TRUE(node.worker->stopped.Wait());
}

TEST_F(FlightFailures, BrokenConnectionIsReplaced) {
	auto channel = through_proxy->Connect(proxied);
	proxy.Cut();
	// The first call may find the connection broken or already replaced; the next one must get through.
	ErrorOf([&] { channel->GetInfo(); });
	EXPECT_EQ(channel->GetInfo().address.id, "w1");
	// the node's successor at the same address
	FlightNodeOptions options;
	options.token = node.token;
	LoopbackNode successor(options);
	proxy.SetTarget(successor.node->Port());
	proxy.Cut();
	ErrorOf([&] { channel->GetInfo(); });
	EXPECT_FALSE(channel->RunTask(MakeRequest(), nullptr).failed);
	EXPECT_EQ(successor.worker->Tasks().size(), 1U);
}

//! Places at which a stream of so many bytes is cut: everywhere, and byte by byte towards the end, where what is
//! missing is only the end marker or part of it
std::vector<uint64_t> Cuts(uint64_t total) {
	std::vector<uint64_t> cuts;
	for (uint64_t i = 0; i < 24; i++) {
		cuts.push_back(total * i / 24);
	}
	for (uint64_t i = 0; i < 400 && i < total; i += i < 60 ? 3 : 17) {
		cuts.push_back(total - i);
	}
	return cuts;
}

TEST_F(FlightFailures, OutputIsCompleteOrAnErrorWhereverItIsCut) {
	constexpr idx_t CHUNKS = 70;
	auto fetch = [&](uint64_t cut_after, uint64_t &passed) {
		Serve(NumbersThen(CHUNKS, [](ScriptedSource &) {}));
		// a new connector, as its first connection would not be used again
		auto channel = node.MakeConnector()->Connect(proxied);
		auto before = proxy.Passed(TcpProxy::TO_CLIENT);
		proxy.CutAfter(TcpProxy::TO_CLIENT, cut_after);
		idx_t rows = 0;
		auto error = ErrorOf([&] { rows = ReadAll(*channel->Fetch(MakeFetch(), NumberTypes())).size(); });
		passed = proxy.Passed(TcpProxy::TO_CLIENT) - before;
		proxy.CutAfter(TcpProxy::TO_CLIENT, TcpProxy::NEVER);
		EXPECT_TRUE(error.HasError() || rows == CHUNKS * STANDARD_VECTOR_SIZE)
		    << rows << " rows after a cut at byte " << cut_after;
		EXPECT_TRUE(!error.HasError() || error.Type() == ExceptionType::IO) << error.Message();
		return !error.HasError();
	};
	uint64_t total = 0;
	ASSERT_TRUE(fetch(TcpProxy::NEVER, total));
	auto failures = 0;
	for (auto cut : Cuts(total)) {
		uint64_t passed = 0;
		failures += fetch(cut, passed) ? 0 : 1;
	}
	EXPECT_GT(failures, 24);
}

TEST_F(FlightFailures, FeedIsCompleteOrAnErrorWhereverItIsCut) {
	constexpr idx_t CHUNKS = 70;
	CountFeed();
	auto run = [&](uint64_t cut_after, uint64_t &passed) {
		auto channel = node.MakeConnector()->Connect(proxied);
		auto before = proxy.Passed(TcpProxy::TO_NODE);
		proxy.CutAfter(TcpProxy::TO_NODE, cut_after);
		auto result = channel->RunTask(MakeRequest(true), NumbersThen(CHUNKS, [](ScriptedSource &) {}));
		passed = proxy.Passed(TcpProxy::TO_NODE) - before;
		proxy.CutAfter(TcpProxy::TO_NODE, TcpProxy::NEVER);
		if (result.failed) {
			auto kind = result.error.kind;
			EXPECT_TRUE(kind == ErrorKind::UNREACHABLE || kind == ErrorKind::DISCONNECTED) << result.error.message;
		} else {
			EXPECT_EQ(result.Rows(), CHUNKS * STANDARD_VECTOR_SIZE) << "after a cut at byte " << cut_after;
		}
		return !result.failed;
	};
	uint64_t total = 0;
	ASSERT_TRUE(run(TcpProxy::NEVER, total));
	auto failures = 0;
	for (auto cut : Cuts(total)) {
		uint64_t passed = 0;
		failures += run(cut, passed) ? 0 : 1;
	}
	EXPECT_GT(failures, 24);
}

//! What a machine that lost its power looks like from here: connections stay open, and nothing comes. These take
//! KEEPALIVE_TIMEOUT_MS.
class FlightSilence : public FlightFailures {
protected:
	//! Makes the node fall silent, and a call that must end within the time limit, whatever it says
	template <class CALL>
	auto CallSilentNode(CALL call) {
		proxy.Freeze();
		auto running = std::async(std::launch::async, call);
		auto patience = std::chrono::milliseconds(limits::KEEPALIVE_TIMEOUT_MS + 2 * limits::KEEPALIVE_INTERVAL_MS);
		EXPECT_EQ(static_cast<int>(running.wait_for(patience)), static_cast<int>(std::future_status::ready))
		    << "the call hangs";
		// what still hangs must end, or the test does not
		proxy.Cut();
		node.worker->stopped.Set();
		return running.get();
	}

	std::shared_ptr<WorkerService> channel = through_proxy->Connect(proxied);
};

TEST_F(FlightSilence, RunningTaskIsGivenUp) {
	CountFeed();
	auto running = std::async(std::launch::async, [&] { return channel->RunTask(MakeRequest(), nullptr); });
	ASSERT_TRUE(node.worker->started.Wait());
	auto result = CallSilentNode([&] { return running.get(); });
	ExpectFailure(result, ErrorKind::DISCONNECTED, ExceptionType::IO, {"w1", proxy.Location()});
}

TEST_F(FlightSilence, OpenOutputIsGivenUp) {
	Serve(NumbersThen(1000, [](ScriptedSource &) {}));
	auto output = channel->Fetch(MakeFetch(), NumberTypes());
	auto error = CallSilentNode([&] { return ErrorOf([&] { ReadAll(*output); }); });
	ExpectError(error, ExceptionType::IO, {"w1", proxy.Location()});
}

TEST_F(FlightSilence, OutputThatIsNotOpenYetIsGivenUp) {
	auto error = CallSilentNode([&] { return ErrorOf([&] { ReadAll(*channel->Fetch(MakeFetch(), NumberTypes())); }); });
	ExpectError(error, ExceptionType::IO, {"w1", proxy.Location()});
}

TEST_F(FlightSilence, LargeRequestIsGivenUp) {
	auto request = MakeRequest();
	request.fragment = std::make_shared<const std::string>(std::string(20 << 20, 'x'));
	auto result = CallSilentNode([&] { return channel->RunTask(request, nullptr); });
	ExpectFailure(result, ErrorKind::UNREACHABLE, ExceptionType::IO, {"w1", proxy.Location()});
}

TEST_F(FlightSilence, FeedIsGivenUp) {
	auto feed = NumbersThen(100000, [](ScriptedSource &) {});
	auto result = CallSilentNode([&] { return channel->RunTask(MakeRequest(true), feed); });
	ExpectFailure(result, ErrorKind::UNREACHABLE, ExceptionType::IO, {"w1", proxy.Location()});
	EXPECT_TRUE(feed->cancelled.Happened());
}

TEST_F(FlightSilence, CancelQueryCutsTheCallsOfItsQuery) {
	CountFeed();
	Serve(NumbersThen(1000, [](ScriptedSource &) {}));
	auto output = channel->Fetch(MakeFetch(), NumberTypes());
	auto reader = output->OpenReader();
	auto elsewhere = MakeRequest();
	elsewhere.query_id = "query-2";
	auto other = std::async(std::launch::async, [&] { return channel->RunTask(elsewhere, nullptr); });
	ASSERT_TRUE(node.worker->started.Wait());
	auto running = std::async(std::launch::async, [&] { return channel->RunTask(MakeRequest(), nullptr); });
	// a call that has not begun yet cannot be cut
	ASSERT_TRUE(node.worker->AwaitTasks(2));
	auto begin = std::chrono::steady_clock::now();
	auto error = CallSilentNode([&] {
		auto cancelled = ErrorOf([&] { channel->CancelQuery("query-1"); });
		EXPECT_TRUE(running.get().failed);
		NumberedRows rows;
		ExpectError(ErrorOf([&] { ReadOn(*reader, NumberTypes(), rows); }), ExceptionType::IO);
		EXPECT_EQ(static_cast<int>(other.wait_for(std::chrono::seconds(0))),
		          static_cast<int>(std::future_status::timeout))
		    << "a call of another query was cut";
		return cancelled;
	});
	ExpectError(error, ExceptionType::IO, {"w1", proxy.Location()});
	EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
	ExpectFailure(other.get(), ErrorKind::DISCONNECTED, ExceptionType::IO, {"w1"});
}

//! What a reader waits for that nobody has opened yet
TEST_F(FlightFailures, SilentNodeKeepsNoReaderThatIsCancelledOrTold) {
	Serve(NumbersThen(1, [](ScriptedSource &) {}));
	auto channel = through_proxy->Connect(proxied);
	proxy.Freeze();
	for (auto cancel : {true, false}) {
		auto output = channel->Fetch(MakeFetch(), NumberTypes());
		auto reader = std::async(std::launch::async, [&] { return ErrorOf([&] { ReadAll(*output); }); });
		EXPECT_EQ(reader.wait_for(std::chrono::milliseconds(200)), std::future_status::timeout);
		auto begin = std::chrono::steady_clock::now();
		if (cancel) {
			output->Cancel();
			ExpectError(reader.get(), ExceptionType::INTERRUPT);
		} else {
			through_proxy->GiveUp("another query", proxied.location);
			through_proxy->GiveUp(MakeFetch().query_id, "grpc://elsewhere:1");
			EXPECT_EQ(reader.wait_for(std::chrono::milliseconds(200)), std::future_status::timeout);
			through_proxy->GiveUp(MakeFetch().query_id, proxied.location);
			ExpectError(reader.get(), ExceptionType::IO, {"w1", "given up"});
		}
		EXPECT_LT(std::chrono::steady_clock::now() - begin,
		          std::chrono::milliseconds(limits::KEEPALIVE_TIMEOUT_MS / 2));
	}
}

//! Bytes that the network changed are an error or harmless, never another value
TEST_F(FlightFailures, DamagedRowsAreNeverDelivered) {
	node.worker->fetch = [](const FetchRequest &, const duckdb::vector<duckdb::LogicalType> &) {
		return NumbersThen(40, [](ScriptedSource &) {});
	};
	auto read = [&] {
		auto connector = node.MakeConnector();
		return ReadAll(*connector->Connect(proxied)->Fetch(MakeFetch(), NumberTypes()));
	};
	auto expected = read();
	auto bytes = proxy.Passed(TcpProxy::TO_CLIENT);
	auto errors = 0;
	constexpr uint64_t PLACES = 60;
	for (uint64_t place = 0; place < PLACES; place++) {
		proxy.DamageAfter(TcpProxy::TO_CLIENT, bytes * place / PLACES + place % 8);
		auto error = ErrorOf([&] { EXPECT_EQ(read(), expected) << "at " << place; });
		errors += error.HasError() ? 1 : 0;
		proxy.Cut();
	}
	// most of the bytes are rows
	EXPECT_GT(errors, 2 * static_cast<int>(PLACES) / 3);
}

TEST_F(FlightFailures, DamagedFeedsAreNeverRead) {
	node.worker->run = [](const TaskRequest &, const ScriptedWorker::Feed &feed) {
		TaskResult result;
		uint64_t sum = 0;
		for (auto &row : ReadAll(*feed)) {
			sum = sum * 31 + std::hash<std::string>()(row);
		}
		result.partition_rows = {sum};
		return result;
	};
	auto run = [&] {
		auto connector = node.MakeConnector();
		return connector->Connect(proxied)->RunTask(MakeRequest(true), NumbersThen(40, [](ScriptedSource &) {}));
	};
	auto expected = run();
	ASSERT_FALSE(expected.failed) << expected.error.message;
	auto bytes = proxy.Passed(TcpProxy::TO_NODE);
	auto errors = 0;
	constexpr uint64_t PLACES = 30;
	for (uint64_t place = 0; place < PLACES; place++) {
		proxy.DamageAfter(TcpProxy::TO_NODE, bytes * place / PLACES + place % 8);
		TaskResult result;
		auto error = ErrorOf([&] { result = run(); });
		if (!error.HasError() && !result.failed) {
			EXPECT_EQ(result.partition_rows, expected.partition_rows) << "at " << place;
		}
		errors += error.HasError() || result.failed ? 1 : 0;
		proxy.Cut();
	}
	EXPECT_GT(errors, static_cast<int>(PLACES) / 2);
}

} // namespace
} // namespace duckherder
