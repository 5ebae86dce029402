#include "chunk_rows.hpp"
#include "sample_messages.hpp"
#include "transports.hpp"

#include "duckdb/common/exception/conversion_exception.hpp"

//! RunTask and its feed, over both transports
namespace duckherder {
namespace {

using duckdb::DataChunk;
using duckdb::ExceptionType;
using duckdb::idx_t;

class TransportTasks : public TransportTest {
protected:
	//! The worker reads the whole feed with so many threads and keeps its rows
	void ReadFeed(idx_t reader_count) {
		worker->run = [this, reader_count](const TaskRequest &, const ScriptedWorker::Feed &feed) {
			received_types = feed->Types();
			received = ReadAll(*feed, reader_count);
			TaskResult result;
			result.input_rows = received.size();
			return result;
		};
	}

	//! What the query returns is fed to the task and must arrive there
	void ExpectFeedArrives(const std::string &sql, idx_t reader_count) {
		SCOPED_TRACE(sql);
		auto rows = QueryRows(sql);
		ReadFeed(reader_count);
		received = {"nothing was read"};
		auto result = Connect()->RunTask(MakeRequest(true), SourceOf(rows));
		ASSERT_FALSE(result.failed) << result.error.message;
		EXPECT_EQ(result.input_rows, rows->Count());
		EXPECT_EQ(received_types, rows->Types());
		EXPECT_EQ(received, TextOf(*rows));
	}

	//! The task must fail, and never come to the end of its feed
	TaskResult RunWithBrokenFeed(std::shared_ptr<ChunkSource> feed) {
		auto at_end = false;
		worker->run = [&](const TaskRequest &, const ScriptedWorker::Feed &received_feed) {
			ReadAll(*received_feed);
			at_end = true;
			return TaskResult();
		};
		auto result = Connect()->RunTask(MakeRequest(true), std::move(feed));
		EXPECT_FALSE(at_end) << "a feed that broke off looked complete";
		return result;
	}

	duckdb::vector<duckdb::LogicalType> received_types;
	Rows received;
};

TEST_P(TransportTasks, RequestArrivesAsItWasSent) {
	auto sample = SampleTaskRequest();
	ExpectAllSet(sample);
	auto had_feed = false;
	worker->run = [&](const TaskRequest &, const ScriptedWorker::Feed &feed) {
		had_feed = feed != nullptr;
		return TaskResult();
	};
	EXPECT_FALSE(Connect()->RunTask(sample, NumbersThen(0, [](ScriptedSource &) {})).failed);
	EXPECT_TRUE(had_feed);
	ASSERT_EQ(worker->Tasks().size(), 1U);
	EXPECT_TRUE(worker->Tasks()[0] == sample);

	TaskRequest bare;
	bare.worker_id = "w1";
	bare.inline_bytes_max = IsFlight() ? limits::INLINE_OUTPUT_BYTES_MAX : 0;
	EXPECT_FALSE(Connect()->RunTask(bare, nullptr).failed);
	EXPECT_FALSE(had_feed);
	ASSERT_EQ(worker->Tasks().size(), 2U);
	EXPECT_TRUE(worker->Tasks()[1] == bare);
}

TEST_P(TransportTasks, TasksOfAStageArriveWhole) {
	worker->run = [&](const TaskRequest &, const ScriptedWorker::Feed &) { return TaskResult(); };
	auto channel = Connect();
	auto request = SampleTaskRequest();
	request.split.fed = false;
	std::vector<TaskRequest> sent;
	auto run = [&] {
		request.task_id++;
		EXPECT_FALSE(channel->RunTask(request, nullptr).failed);
		sent.push_back(request);
	};
	run();
	run();
	// the outputs that it reads have moved
	request.stage_version++;
	request.inputs = std::make_shared<const StageInputs>(StageInputs {SampleInput(1, ExchangeKind::HASH)});
	run();
	run();
	// the node forgets what belongs to a query that has ended; whoever asks later brings it again
	channel->CancelQuery(request.query_id);
	run();
	ASSERT_EQ(worker->Tasks().size(), sent.size());
	for (size_t i = 0; i < sent.size(); i++) {
		EXPECT_TRUE(worker->Tasks()[i] == sent[i]) << i;
	}
}

TEST_P(TransportTasks, LargeFragmentArrives) {
	// larger than what any layer below sends in one piece by default (gRPC: 4 MB)
	auto request = MakeRequest();
	request.fragment = std::make_shared<const std::string>(std::string(40 << 20, 'x') + "end");
	EXPECT_FALSE(Connect()->RunTask(request, nullptr).failed);
	ASSERT_EQ(worker->Tasks().size(), 1U);
	EXPECT_TRUE(*worker->Tasks()[0].fragment == *request.fragment);
}

TEST_P(TransportTasks, ResultArrivesAsItWasGiven) {
	auto channel = Connect();
	auto expect_arrives = [&](const TaskResult &sample) {
		worker->run = [&](const TaskRequest &, const ScriptedWorker::Feed &) { return sample; };
		EXPECT_TRUE(channel->RunTask(MakeRequest(), nullptr) == sample);
	};
	auto result = SampleTaskResult();
	ExpectAllSet(result);
	for (auto kind : {ErrorKind::USER, ErrorKind::WORKER_FAILURE, ErrorKind::LOST_INPUT, ErrorKind::CANCELLED}) {
		result.error = SampleTaskError(kind);
		expect_arrives(result);
	}
	result.failed = false;
	result.error = TaskError();
	expect_arrives(result);
	expect_arrives(TaskResult());
}

TEST_P(TransportTasks, FeedOfEveryTypeArrives) {
	ExpectFeedArrives("SELECT * FROM test_all_types()", 1);
	ExpectFeedArrives("SELECT i, t FROM range(2000) r(i), test_all_types() t ORDER BY ALL", 3);
}

TEST_P(TransportTasks, ManyChunksArriveOnceAndInOrder) {
	ExpectFeedArrives("SELECT i, CASE WHEN i % 3 = 0 THEN NULL ELSE {'l': [i, NULL], 's': repeat('s', (i % 40)::INT)} "
	                  "END FROM range(300000) t(i)",
	                  4);
	ExpectFeedArrives("SELECT i FROM range(1000000) t(i)", 1);
}

TEST_P(TransportTasks, FeedsWithoutRowsOrColumnsArrive) {
	ExpectFeedArrives("SELECT 1::BIGINT AS a, [NULL] AS b FROM range(0)", 2);
	// rows that are only counted
	ReadFeed(2);
	auto script = [](ScriptedSource &, idx_t number, DataChunk &chunk) {
		chunk.SetCardinality(number < 100 ? STANDARD_VECTOR_SIZE : 0);
	};
	auto feed = std::make_shared<ScriptedSource>(duckdb::vector<duckdb::LogicalType>(), script);
	auto result = Connect()->RunTask(MakeRequest(true), feed);
	EXPECT_FALSE(result.failed) << result.error.message;
	EXPECT_EQ(result.input_rows, 100ULL * STANDARD_VECTOR_SIZE);
}

TEST_P(TransportTasks, FeedWithLargeValuesArrives) {
	ExpectFeedArrives("SELECT i, repeat(chr(97 + i::INT), 5000000) AS s FROM range(12) t(i)", 2);
}

TEST_P(TransportTasks, FeedThatThrowsIsNoEnd) {
	for (idx_t full_chunks : {0, 1, 200}) {
		auto feed = NumbersThen(full_chunks, [](ScriptedSource &) { throw duckdb::ConversionException("bad row"); });
		ExpectFailure(RunWithBrokenFeed(feed), ErrorKind::USER, ExceptionType::CONVERSION, {"bad row"});
	}
	auto lost = NumbersThen(100, [](ScriptedSource &) { throw duckdb::IOException("disk gone"); });
	ExpectFailure(RunWithBrokenFeed(lost), ErrorKind::WORKER_FAILURE, ExceptionType::IO, {"disk gone"});
	auto interrupted = NumbersThen(100, [](ScriptedSource &) { throw duckdb::InterruptException(); });
	ExpectFailure(RunWithBrokenFeed(interrupted), ErrorKind::CANCELLED, ExceptionType::INTERRUPT);
}

TEST_P(TransportTasks, FeedThatCannotBeOpenedIsNoEnd) {
	class ClosedSource : public ScriptedSource {
		using ScriptedSource::ScriptedSource;
		std::unique_ptr<ChunkReader> OpenReader() override {
			throw duckdb::IOException("opened before");
		}
	};
	auto feed = std::make_shared<ClosedSource>(NumberTypes(), nullptr);
	ExpectFailure(RunWithBrokenFeed(feed), ErrorKind::WORKER_FAILURE, ExceptionType::IO, {"opened before"});
}

//! A LIMIT: the task takes some rows and has seen enough
void TakeSome(ChunkSource &feed) {
	auto reader = feed.OpenReader();
	DataChunk chunk;
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), feed.Types());
	reader->Next(chunk);
	EXPECT_GT(chunk.size(), 0U);
}

TEST_P(TransportTasks, TaskMayLeaveItsFeedEarly) {
	auto channel = Connect();
	for (auto reads : {true, false}) {
		// more than all buffers on the way hold: 160 MB
		auto feed = NumbersThen(10000, [](ScriptedSource &) {});
		worker->run = [&](const TaskRequest &, const ScriptedWorker::Feed &received_feed) {
			if (reads) {
				TakeSome(*received_feed);
			}
			TaskResult result;
			result.partition_rows = {5};
			return result;
		};
		auto result = channel->RunTask(MakeRequest(true), feed);
		EXPECT_FALSE(result.failed) << result.error.message;
		EXPECT_EQ(result.Rows(), 5U);
	}
	EXPECT_EQ(channel->GetInfo().address.id, "w1");
}

TEST_P(TransportTasks, SlowFeedDoesNotHoldUpTaskThatHasSeenEnough) {
	// The first rows come at once, the next ones take forever: a filter that few rows pass, over a slow network.
	auto feed = NumbersThen(100, [](ScriptedSource &source) {
		EXPECT_TRUE(source.BlockUntilCancelled()) << "the result is there, but the call waits for the feed";
	});
	worker->run = [&](const TaskRequest &, const ScriptedWorker::Feed &received_feed) {
		TakeSome(*received_feed);
		EXPECT_TRUE(!IsFlight() || feed->blocked.Wait());
		return TaskResult();
	};
	auto result = Connect()->RunTask(MakeRequest(true), feed);
	EXPECT_FALSE(result.failed) << result.error.message;
}

TEST_P(TransportTasks, CancelQueryEndsRunningTask) {
	worker->run = [this](const TaskRequest &, const ScriptedWorker::Feed &) -> TaskResult {
		EXPECT_TRUE(worker->cancelled.Wait());
		throw duckdb::InterruptException();
	};
	auto running = std::async(std::launch::async, [&] { return Connect()->RunTask(MakeRequest(), nullptr); });
	ASSERT_TRUE(worker->started.Wait());
	auto channel = Connect();
	channel->RenewLease("query-1", {});
	channel->RenewLease("query-1", {"grpc://a:1", "grpc://b:2"});
	channel->CancelQuery("query-1");
	ExpectFailure(running.get(), ErrorKind::CANCELLED, ExceptionType::INTERRUPT);
	channel->CancelQuery("query-1");
	EXPECT_EQ(worker->KeptQueries(),
	          (std::vector<QueryId> {"query-1", "query-1 without grpc://a:1 without grpc://b:2"}));
	EXPECT_EQ(worker->CancelledQueries(), (std::vector<QueryId> {"query-1", "query-1"}));
}

TEST_P(TransportTasks, TaskThatWaitsForItsFeedCanBeCancelled) {
	// what WorkerNode does: a cancelled attempt calls Cancel on its feed
	auto feed = NumbersThen(100, [](ScriptedSource &source) { EXPECT_TRUE(source.BlockUntilCancelled()); });
	worker->run = [this](const TaskRequest &, const ScriptedWorker::Feed &received_feed) {
		std::thread canceller([&] {
			EXPECT_TRUE(worker->cancelled.Wait());
			received_feed->Cancel();
		});
		auto error = ErrorOf([&] { ReadAll(*received_feed); });
		canceller.join();
		error.Throw();
		return TaskResult();
	};
	auto running = std::async(std::launch::async, [&] { return Connect()->RunTask(MakeRequest(true), feed); });
	ASSERT_TRUE(feed->blocked.Wait());
	Connect()->CancelQuery("query-1");
	ExpectFailure(running.get(), ErrorKind::CANCELLED, ExceptionType::INTERRUPT);
	EXPECT_TRUE(feed->cancelled.Happened()) << "the sender of the feed still waits for rows";
}

INSTANTIATE_TEST_SUITE_P(Over, TransportTasks, BothTransports(), TransportName);

} // namespace
} // namespace duckherder
