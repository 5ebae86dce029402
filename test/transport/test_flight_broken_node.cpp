#include "chunk_rows.hpp"
#include "wire/chunk_codec.hpp"
#include "wire/messages.hpp"
#include "transport/flight/flight_protocol.hpp"
#include "transport/flight/message_order.hpp"
#include "transports.hpp"

#include <arrow/flight/server.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>

//! A node that does not keep to the protocol: its clients get errors, never an answer that is too short
namespace duckherder {
namespace {

namespace flight = arrow::flight;

using duckdb::ExceptionType;
using flight_protocol::FrameKind;
using flight_protocol::StreamFrame;

//! A batch of the first numbers, or what stands beside an empty one
struct Message {
	int64_t rows = 0;
	std::string frame;
};

std::shared_ptr<arrow::RecordBatch> Batch(const duckdb::vector<duckdb::LogicalType> &types, int64_t rows) {
	if (rows == 0) {
		return arrow::RecordBatch::MakeEmpty(WireSchema(types)).ValueOrDie();
	}
	duckdb::DataChunk chunk;
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
	chunk.SetCardinality(static_cast<duckdb::idx_t>(rows));
	ChunkEncoder encoder(types);
	duckdb::idx_t position = 0;
	encoder.Append(chunk, position);
	return encoder.Flush();
}

//! Answers a DoGet with these messages, and then ends as if all was well
class MessageStream : public flight::FlightDataStream {
public:
	MessageStream(duckdb::vector<duckdb::LogicalType> types_p, std::vector<Message> messages_p)
	    : types(std::move(types_p)), messages(std::move(messages_p)), mapper(*WireSchema(types)) {
	}
	std::shared_ptr<arrow::Schema> schema() override {
		return WireSchema(types);
	}
	arrow::Result<flight::FlightPayload> GetSchemaPayload() override {
		flight::FlightPayload payload;
		auto options = arrow::ipc::IpcWriteOptions::Defaults();
		ARROW_RETURN_NOT_OK(arrow::ipc::GetSchemaPayload(*schema(), options, mapper, &payload.ipc_message));
		return payload;
	}
	arrow::Result<flight::FlightPayload> Next() override {
		flight::FlightPayload payload;
		if (next == messages.size()) {
			return payload;
		}
		auto &message = messages[next++];
		auto options = arrow::ipc::IpcWriteOptions::Defaults();
		auto batch = Batch(types, message.rows);
		ARROW_RETURN_NOT_OK(arrow::ipc::GetRecordBatchPayload(*batch, options, &payload.ipc_message));
		payload.app_metadata = message.frame.empty() ? flight_protocol::RowsFrame(*batch, payload.ipc_message)
		                                             : arrow::Buffer::FromString(message.frame);
		return payload;
	}

private:
	duckdb::vector<duckdb::LogicalType> types;
	std::vector<Message> messages;
	arrow::ipc::DictionaryFieldMapper mapper;
	size_t next = 0;
};

class BrokenNode : public flight::FlightServerBase {
public:
	BrokenNode() {
		auto any_port = flight::Location::ForGrpcTcp("127.0.0.1", 0).ValueOrDie();
		EXPECT_TRUE(Init(flight::FlightServerOptions(any_port)).ok());
		WorkerInfo info = ScriptedWorker("w1").info;
		answer = flight_protocol::EncodeFrame(StreamFrame {FrameKind::REPLY, EncodeMessage(info)});
	}
	~BrokenNode() override {
		EXPECT_TRUE(Shutdown().ok());
	}

	arrow::Status DoGet(const flight::ServerCallContext &, const flight::Ticket &,
	                    std::unique_ptr<flight::FlightDataStream> *stream) override {
		message_order::Received();
		*stream = std::make_unique<MessageStream>(types, messages);
		message_order::Sent();
		return arrow::Status::OK();
	}
	arrow::Status DoExchange(const flight::ServerCallContext &, std::unique_ptr<flight::FlightMessageReader> reader,
	                         std::unique_ptr<flight::FlightMessageWriter> writer) override {
		message_order::Received();
		// the test may change them when it has the last one
		auto sent = messages;
		message_order::Sent();
		ARROW_RETURN_NOT_OK(reader->Next());
		for (auto &message : sent) {
			ARROW_RETURN_NOT_OK(writer->WriteMetadata(arrow::Buffer::FromString(message.frame)));
		}
		return arrow::Status::OK();
	}
	arrow::Status DoAction(const flight::ServerCallContext &, const flight::Action &,
	                       std::unique_ptr<flight::ResultStream> *results) override {
		message_order::Received();
		std::vector<flight::Result> list;
		if (!answer.empty()) {
			list.push_back({arrow::Buffer::FromString(answer)});
		}
		*results = std::make_unique<flight::SimpleResultStream>(std::move(list));
		message_order::Sent();
		return arrow::Status::OK();
	}

	//! What a stream brings, and what an action gets; no answer at all if empty. Changed only between calls.
	std::vector<Message> messages;
	duckdb::vector<duckdb::LogicalType> types = NumberTypes();
	std::string answer;
};

class FlightBrokenNode : public testing::Test {
protected:
	TimeLimit limit;
	BrokenNode node;
	FlightConnector connector {FlightClientSettings {"token", ""}};
	WorkerAddress address {"w1", "grpc://127.0.0.1:" + std::to_string(node.port())};
	std::shared_ptr<WorkerService> channel = connector.Connect(address);
};

TEST_F(FlightBrokenNode, OutputWithoutItsRightEndIsAnError) {
	auto read = [&](std::vector<Message> messages) {
		node.messages = std::move(messages);
		return ErrorOf([&] { ReadAll(*channel->Fetch(MakeFetch(), NumberTypes())); });
	};
	auto end = [](uint64_t rows) { return flight_protocol::EncodeFrame(flight_protocol::EndFrame(rows)); };
	EXPECT_FALSE(read({{7, ""}, {0, end(7)}}).HasError());
	EXPECT_FALSE(read({{0, end(0)}}).HasError());
	ExpectError(read({{7, ""}, {8, ""}}), ExceptionType::IO, {"w1", "without its end"});
	ExpectError(read({}), ExceptionType::IO, {"w1", "without its end"});
	ExpectError(read({{7, ""}, {0, end(8)}}), ExceptionType::IO, {"7", "8"});
	ExpectError(read({{7, ""}, {0, end(6)}}), ExceptionType::IO, {"7", "6"});
	for (auto &frame :
	     {StreamFrame {FrameKind::END, ""}, StreamFrame {FrameKind::ALIVE, "7"}, StreamFrame {FrameKind::REPLY, "7"},
	      StreamFrame {FrameKind::RESULT, "7"}, StreamFrame {FrameKind::ERROR, "7"}}) {
		EXPECT_TRUE(read({{7, ""}, {0, flight_protocol::EncodeFrame(frame)}}).HasError());
	}
	EXPECT_TRUE(read({{7, ""}, {0, "garbage"}}).HasError());
	auto wrong_sum = flight_protocol::EncodeFrame(StreamFrame {FrameKind::ROWS, "7"});
	ExpectError(read({{7, ""}, {7, wrong_sum}, {0, end(14)}}), ExceptionType::IO, {"7 rows", "damaged"});
	TaskError conversion {ErrorKind::USER, "Conversion", "bad row", "w1", "", false, {}};
	ExpectError(read({{7, ""}, {0, flight_protocol::EncodeFrame(flight_protocol::ErrorFrame(conversion))}}),
	            ExceptionType::CONVERSION, {"bad row (on worker w1)"});
}

TEST_F(FlightBrokenNode, OutputOfOtherTypesIsAnError) {
	node.types = {duckdb::LogicalType::INTEGER};
	node.messages = {{7, ""}, {0, flight_protocol::EncodeFrame(flight_protocol::EndFrame(7))}};
	ExpectError(ErrorOf([&] { ReadAll(*channel->Fetch(MakeFetch(), NumberTypes())); }), ExceptionType::IO);
}

TEST_F(FlightBrokenNode, TaskWithoutItsResultHasFailed) {
	auto run = [&](const std::vector<std::string> &frames, bool fed = true) {
		node.messages.clear();
		for (auto &frame : frames) {
			node.messages.push_back({0, frame});
		}
		// more than fits on the way: nobody reads it
		auto feed = NumbersThen(10000, [](ScriptedSource &) {});
		auto result = fed ? channel->RunTask(MakeRequest(true), feed) : channel->RunTask(MakeRequest(), nullptr);
		EXPECT_TRUE(!fed || !result.failed || feed->cancelled.Happened());
		return result;
	};
	auto alive = flight_protocol::EncodeFrame(StreamFrame {FrameKind::ALIVE, ""});
	TaskResult good;
	good.partition_rows = {7};
	auto result = flight_protocol::EncodeFrame(StreamFrame {FrameKind::RESULT, EncodeMessage(good)});
	// a node that ends the call while its feed is still on the way may take its result with it: not with these
	EXPECT_EQ(run({alive, alive, result}, false).Rows(), 7U);
	EXPECT_FALSE(run({result}, false).failed);
	ExpectFailure(run({}), ErrorKind::UNREACHABLE, ExceptionType::IO, {"w1", "without a result"});
	ExpectFailure(run({alive}), ErrorKind::DISCONNECTED, ExceptionType::IO, {"w1", "without a result"});
	// it was sent everything already
	auto resend = flight_protocol::EncodeFrame(StreamFrame {FrameKind::RESEND, ""});
	ExpectFailure(run({resend}, false), ErrorKind::UNREACHABLE, ExceptionType::IO, {"w1"});
	EXPECT_TRUE(run({"garbage"}).failed);
	EXPECT_TRUE(run({flight_protocol::EncodeFrame(StreamFrame {FrameKind::RESULT, "garbage"})}).failed);
	EXPECT_TRUE(
	    run({flight_protocol::EncodeFrame(StreamFrame {FrameKind::RESULT, EncodeMessage(MakeRequest())})}).failed);
}

TEST_F(FlightBrokenNode, AnswersThatAreNoneAreErrors) {
	node.answer = "";
	ExpectError(ErrorOf([&] { channel->CancelQuery("query-1"); }), ExceptionType::IO, {"w1"});
	ExpectError(ErrorOf([&] { channel->LoadExtension("tpch"); }), ExceptionType::IO, {"w1"});
	for (auto answer : {"garbage", "\xFF\xFF", "0"}) {
		node.answer = answer;
		EXPECT_TRUE(ErrorOf([&] { channel->CancelQuery("query-1"); }).HasError());
		EXPECT_TRUE(ErrorOf([&] { channel->GetInfo(); }).HasError());
		EXPECT_TRUE(ErrorOf([&] { FlightConnector({"token", ""}).Connect(address); }).HasError());
	}
	node.answer = flight_protocol::EncodeFrame(StreamFrame {FrameKind::REPLY, "no WorkerInfo"});
	EXPECT_TRUE(ErrorOf([&] { channel->GetInfo(); }).HasError());
}

} // namespace
} // namespace duckherder
