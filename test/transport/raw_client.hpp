#pragma once

#include "wire/messages.hpp"
#include "transport/flight/flight_protocol.hpp"
#include "transport/flight/message_order.hpp"
#include "transports.hpp"

#include <arrow/flight/client.h>

#include <memory>
#include <string>

namespace duckherder {

//! A Flight client that says what it likes; see FlightNode for what it should say
class RawClient {
public:
	explicit RawClient(const std::string &location, const std::string &authorization = "") {
		client = arrow::flight::FlightClient::Connect(*arrow::flight::Location::Parse(location)).ValueOrDie();
		if (!authorization.empty()) {
			options.headers.emplace_back(flight_protocol::AUTHORIZATION_HEADER, authorization);
		}
		// only a test that fails waits for so long
		options.timeout = arrow::flight::TimeoutDuration(static_cast<double>(PATIENCE.count()));
	}
	explicit RawClient(const LoopbackNode &node)
	    : RawClient(node.location, flight_protocol::BEARER_PREFIX + node.token) {
	}

	arrow::Status Get(const std::string &ticket) {
		message_order::Sent();
		ARROW_ASSIGN_OR_RAISE(auto stream, client->DoGet(options, arrow::flight::Ticket {ticket}));
		return stream->ToRecordBatches().status();
	}

	//! The answer's bytes
	arrow::Result<std::string> Act(const std::string &action, const std::string &body) {
		message_order::Sent();
		arrow::flight::Action call {action, arrow::Buffer::FromString(body)};
		ARROW_ASSIGN_OR_RAISE(auto answers, client->DoAction(options, call));
		ARROW_ASSIGN_OR_RAISE(auto answer, answers->Next());
		return answer ? answer->body->ToString() : arrow::Result<std::string>(arrow::Status::Invalid("no answer"));
	}

	arrow::Result<arrow::flight::FlightClient::DoExchangeResult> Exchange(const std::string &command) {
		message_order::Sent();
		return client->DoExchange(options, arrow::flight::FlightDescriptor::Command(command));
	}

	//! How an exchange that begins with these bytes goes on. It may be refused before or after they were sent.
	arrow::Status AnswerTo(const std::string &command, const std::string &first_message) {
		ARROW_ASSIGN_OR_RAISE(auto exchange, Exchange(command));
		auto sent = exchange.writer->WriteMetadata(arrow::Buffer::FromString(first_message));
		auto answer = exchange.reader->Next().status();
		auto closed = exchange.writer->Close();
		return answer;
	}

	//! A task call whose request has been sent
	arrow::flight::FlightClient::DoExchangeResult RunTask(const TaskRequest &request) {
		auto exchange = Exchange(flight_protocol::RUN_TASK).ValueOrDie();
		auto message = flight_protocol::Pack({EncodeMessage(request), EncodeTypes(NumberTypes()), ""});
		EXPECT_TRUE(exchange.writer->WriteMetadata(arrow::Buffer::FromString(message)).ok());
		return exchange;
	}

	//! The result of a task call; fails if the call ends without one
	static TaskResult ResultOf(arrow::flight::FlightClient::DoExchangeResult &exchange) {
		while (true) {
			auto chunk = exchange.reader->Next();
			if (!chunk.ok() || !chunk->app_metadata) {
				ADD_FAILURE() << "no result: " << chunk.status().ToString();
				return TaskResult();
			}
			auto frame = flight_protocol::DecodeFrame(*chunk->app_metadata);
			if (frame.kind == flight_protocol::FrameKind::RESULT) {
				EXPECT_TRUE(exchange.writer->Close().ok());
				return DecodeMessage<TaskResult>(frame.body);
			}
		}
	}

	std::unique_ptr<arrow::flight::FlightClient> client;
	arrow::flight::FlightCallOptions options;
};

} // namespace duckherder
