#include "chunk_rows.hpp"
#include "raw_client.hpp"

#include "wire/chunk_codec.hpp"

#include <arrow/array/builder_primitive.h>
#include <arrow/record_batch.h>

#include <random>

//! A client with the token that does not keep to the protocol gets errors, and the node goes on
namespace duckherder {
namespace {

using duckdb::ExceptionType;
using flight_protocol::FrameBuffer;
using flight_protocol::FrameKind;
using flight_protocol::StreamFrame;

class FlightGarbage : public testing::Test {
protected:
	FlightGarbage() {
		node.worker->run = [this](const TaskRequest &, const ScriptedWorker::Feed &feed) {
			rows_at_end = feed ? ReadAll(*feed).size() : 0;
			return TaskResult();
		};
	}
	~FlightGarbage() override {
		// the node still serves everything else
		auto channel = node.Connect();
		EXPECT_FALSE(channel->RunTask(MakeRequest(true), NumbersThen(50, [](ScriptedSource &) {})).failed);
		EXPECT_EQ(rows_at_end, 50 * STANDARD_VECTOR_SIZE);
	}

	static std::vector<std::string> Garbage(const std::string &good) {
		std::vector<std::string> result {"", "x", std::string(1000, '\0'), std::string(1000, '\xFF'), good + "x"};
		for (size_t size = 0; size < good.size(); size += 7) {
			result.push_back(good.substr(0, size));
		}
		std::mt19937 random(7);
		for (auto round = 0; round < 50; round++) {
			std::string noise(random() % 300, ' ');
			for (auto &character : noise) {
				character = static_cast<char>(random());
			}
			result.push_back(noise);
		}
		return result;
	}

	TimeLimit limit;
	LoopbackNode node;
	RawClient raw {node};
	//! Rows of the last task's feed, if it came to its end
	uint64_t rows_at_end = 0;
};

TEST_F(FlightGarbage, Tickets) {
	auto good = flight_protocol::Pack({EncodeMessage(MakeFetch()), EncodeTypes(NumberTypes())});
	node.worker->fetch = [](const FetchRequest &, const duckdb::vector<duckdb::LogicalType> &) {
		return NumbersThen(1, [](ScriptedSource &) {});
	};
	ASSERT_TRUE(raw.Get(good).ok());
	ASSERT_EQ(node.worker->Fetches().size(), 1U);
	for (auto &ticket : Garbage(good)) {
		EXPECT_FALSE(raw.Get(ticket).ok());
	}
	EXPECT_FALSE(raw.Get(flight_protocol::Pack({EncodeMessage(MakeFetch())})).ok());
	EXPECT_FALSE(raw.Get(flight_protocol::Pack({EncodeMessage(MakeRequest()), EncodeTypes(NumberTypes())})).ok());
	EXPECT_FALSE(
	    raw.Get(flight_protocol::Pack({EncodeMessage(MakeFetch()), EncodeTypes({duckdb::LogicalType::POINTER})})).ok());
	auto elsewhere = MakeFetch();
	elsewhere.worker_id = "w9";
	auto status = raw.Get(flight_protocol::Pack({EncodeMessage(elsewhere), EncodeTypes(NumberTypes())}));
	EXPECT_NE(status.message().find("w9"), std::string::npos) << status.ToString();
	EXPECT_EQ(node.worker->Fetches().size(), 1U);
}

TEST_F(FlightGarbage, Actions) {
	auto expect_error = [&](const std::string &action, const std::string &body) {
		auto answer = raw.Act(action, body);
		if (answer.ok()) {
			auto frame = flight_protocol::DecodeFrame(*answer);
			EXPECT_EQ(static_cast<int>(frame.kind), static_cast<int>(FrameKind::ERROR)) << action;
		}
	};
	node.node->SetDriver(nullptr);
	auto good = EncodeMessage(WorkerQueryRequest {"w1", "query-1"});
	for (auto action : {actions::GET_INFO.name, actions::RENEW_LEASE.name, actions::LOAD_EXTENSION.name,
	                    actions::REGISTER_WORKER.name, actions::HEARTBEAT.name, actions::UNREGISTER_WORKER.name,
	                    actions::LIST_WORKERS.name, actions::ADMIT_QUERY.name, actions::OPEN_SESSION.name,
	                    actions::DESCRIBE.name, "", "unknown"}) {
		for (auto &body : Garbage(flight_protocol::Pack({good}))) {
			expect_error(action, body);
		}
		for (auto &message : Garbage(good)) {
			expect_error(action, flight_protocol::Pack({message}));
		}
		expect_error(action, flight_protocol::Pack({}));
		expect_error(action, flight_protocol::Pack({"w1"}));
		expect_error(action, flight_protocol::Pack({good, good}));
		// of another action
		expect_error(action, flight_protocol::Pack({EncodeMessage(FetchRequest())}));
	}
	node.node->AddWorker("w2", node.worker);
	expect_error(actions::GET_INFO.name, flight_protocol::Pack({EncodeMessage(WorkerRequest {"w9"})}));
	EXPECT_TRUE(node.worker->Calls().empty());
}

TEST_F(FlightGarbage, TaskRequests) {
	auto good = flight_protocol::Pack({EncodeMessage(MakeRequest()), EncodeTypes({}), ""});
	for (auto &message : Garbage(good)) {
		EXPECT_FALSE(raw.AnswerTo(flight_protocol::RUN_TASK, message).ok());
	}
	EXPECT_FALSE(raw.AnswerTo("unknown", good).ok());
	EXPECT_FALSE(raw.AnswerTo("", good).ok());
	auto elsewhere = MakeRequest();
	elsewhere.worker_id = "w9";
	EXPECT_FALSE(
	    raw.AnswerTo(flight_protocol::RUN_TASK, flight_protocol::Pack({EncodeMessage(elsewhere), EncodeTypes({}), ""}))
	        .ok());
	auto fed = MakeRequest(true);
	EXPECT_FALSE(
	    raw.AnswerTo(flight_protocol::RUN_TASK, flight_protocol::Pack({EncodeMessage(fed), "no types", ""})).ok());
	// no message at all
	auto exchange = raw.Exchange(flight_protocol::RUN_TASK).ValueOrDie();
	ASSERT_TRUE(exchange.writer->DoneWriting().ok());
	EXPECT_FALSE(exchange.reader->Next().ok());
	EXPECT_TRUE(node.worker->Tasks().empty());
}

std::shared_ptr<arrow::RecordBatch> NumbersBatch(int64_t rows) {
	arrow::Int64Builder builder;
	for (int64_t i = 0; i < rows; i++) {
		EXPECT_TRUE(builder.Append(i).ok());
	}
	return arrow::RecordBatch::Make(WireSchema(NumberTypes()), rows, {builder.Finish().ValueOrDie()});
}

arrow::Status Write(arrow::flight::FlightClient::DoExchangeResult &exchange, const arrow::RecordBatch &batch) {
	return exchange.writer->WriteWithMetadata(batch, flight_protocol::RowsFrame(batch).ValueOrDie());
}

TEST_F(FlightGarbage, FeedsThatDoNotEndAsTheyShould) {
	using Exchange = arrow::flight::FlightClient::DoExchangeResult;
	auto run = [&](const std::function<void(Exchange &)> &send) {
		rows_at_end = 777;
		auto exchange = raw.RunTask(MakeRequest(true));
		EXPECT_TRUE(exchange.writer->Begin(WireSchema(NumberTypes())).ok());
		EXPECT_TRUE(Write(exchange, *NumbersBatch(10)).ok());
		send(exchange);
		return RawClient::ResultOf(exchange);
	};
	auto frame = [](const StreamFrame &sent) {
		return [sent](Exchange &exchange) { EXPECT_TRUE(exchange.writer->WriteMetadata(FrameBuffer(sent)).ok()); };
	};
	auto result = run(frame(flight_protocol::EndFrame(10)));
	EXPECT_FALSE(result.failed) << result.error.message;
	EXPECT_EQ(rows_at_end, 10U);

	auto expect_failure = [&](const std::function<void(Exchange &)> &send) {
		EXPECT_TRUE(run(send).failed);
		EXPECT_EQ(rows_at_end, 777U) << "the task saw an end of its feed";
	};
	expect_failure([&](Exchange &exchange) {
		EXPECT_TRUE(exchange.writer->WriteRecordBatch(*NumbersBatch(10)).ok()) << "without a checksum";
		frame(flight_protocol::EndFrame(20))(exchange);
	});
	expect_failure([&](Exchange &exchange) {
		auto other = flight_protocol::RowsFrame(*NumbersBatch(9)).ValueOrDie();
		EXPECT_TRUE(exchange.writer->WriteWithMetadata(*NumbersBatch(10), other).ok());
		frame(flight_protocol::EndFrame(20))(exchange);
	});
	expect_failure(frame(flight_protocol::EndFrame(9)));
	expect_failure(frame(flight_protocol::EndFrame(11)));
	expect_failure(frame(StreamFrame {FrameKind::END, ""}));
	expect_failure(frame(StreamFrame {FrameKind::END, "ten"}));
	expect_failure(frame(StreamFrame {FrameKind::REPLY, "10"}));
	expect_failure(frame(StreamFrame {FrameKind::RESULT, "10"}));
	expect_failure(frame(StreamFrame {FrameKind::ERROR, "no error"}));
	expect_failure([](Exchange &exchange) {
		EXPECT_TRUE(exchange.writer->WriteMetadata(arrow::Buffer::FromString("no frame")).ok());
	});
	expect_failure([](Exchange &exchange) { EXPECT_TRUE(exchange.writer->DoneWriting().ok()); });
	auto conversion = TaskError {ErrorKind::USER, "Conversion", "bad row", "", "", false, {}};
	auto failed = run(frame(flight_protocol::ErrorFrame(conversion)));
	ExpectFailure(failed, ErrorKind::USER, ExceptionType::CONVERSION, {"bad row"});
}

TEST_F(FlightGarbage, FeedsOfAnotherShape) {
	auto exchange = raw.RunTask(MakeRequest(true));
	duckdb::vector<duckdb::LogicalType> other {duckdb::LogicalType::INTEGER, duckdb::LogicalType::VARCHAR};
	ASSERT_TRUE(exchange.writer->Begin(WireSchema(other)).ok());
	auto batch = arrow::RecordBatch::MakeEmpty(WireSchema(other)).ValueOrDie();
	ASSERT_TRUE(Write(exchange, *batch).ok());
	ASSERT_TRUE(exchange.writer->WriteMetadata(FrameBuffer(flight_protocol::EndFrame(0))).ok());
	ExpectFailure(RawClient::ResultOf(exchange), ErrorKind::WORKER_FAILURE, ExceptionType::IO);
}

TEST_F(FlightGarbage, RowsForTaskWithoutFeed) {
	auto exchange = raw.RunTask(MakeRequest(false));
	ASSERT_TRUE(exchange.writer->Begin(WireSchema(NumberTypes())).ok());
	ASSERT_TRUE(Write(exchange, *NumbersBatch(10)).ok());
	EXPECT_FALSE(RawClient::ResultOf(exchange).failed);
}

} // namespace
} // namespace duckherder
