#include "compat/names.hpp"
#include "fuzz/fuzz_target.hpp"

#include "wire/messages.hpp"
#include "transport/flight/flight_protocol.hpp"

namespace duckherder::fuzz {

namespace {

//! As whoever receives a frame does: the body by its kind
void DecodeFrameAndBody(const std::string &bytes) {
	auto frame = flight_protocol::DecodeFrame(bytes);
	Expect(flight_protocol::EncodeFrame(flight_protocol::DecodeFrame(flight_protocol::EncodeFrame(frame))) ==
	           flight_protocol::EncodeFrame(frame),
	       "a frame is another one after a round of encoding and decoding");
	if (frame.kind == flight_protocol::FrameKind::RESULT) {
		DecodeMessage<TaskResult>(frame.body);
	}
	flight_protocol::CheckEnd(frame, 3);
}

//! As a node does with the ticket of a DoGet: the request and the types
void DecodeTicket(const std::string &bytes) {
	auto parts = DecodeParts(bytes);
	if (parts.size() == 2) {
		DecodeMessage<FetchRequest>(parts[0]);
		DecodeTypes(parts[1]);
	}
}

//! As a node does with the first message of a task's call: the request, the types of the feed, whether it is alone
void DecodeCall(const std::string &bytes) {
	auto parts = DecodeParts(bytes);
	if (parts.size() == 3) {
		DecodeMessage<TaskRequest>(parts[0]);
		DecodeTypes(parts[1]);
	}
}

} // namespace

std::vector<std::string> Samples() {
	using flight_protocol::EncodeFrame;
	using flight_protocol::FrameKind;
	duckdb::vector<duckdb::LogicalType> types {duckdb::LogicalType::INTEGER,
	                                           duckdb::LogicalType::LIST(duckdb::LogicalType::VARCHAR)};
	TaskError error;
	error.exception_type = "Conversion";
	error.message = "no number";
	return {std::string(1, 0) + EncodeFrame(flight_protocol::EndFrame(3)),
	        std::string(1, 0) + EncodeFrame(flight_protocol::ErrorFrame(error)),
	        std::string(1, 0) + EncodeFrame({FrameKind::ALIVE, ""}),
	        std::string(1, 0) + EncodeFrame({FrameKind::RESULT, EncodeMessage(TaskResult())}),
	        std::string(1, 1) + EncodeParts({EncodeMessage(FetchRequest()), EncodeTypes(types)}),
	        std::string(1, 2) + EncodeParts({EncodeMessage(TaskRequest()), EncodeTypes(types), "alone"})};
}

} // namespace duckherder::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	using namespace duckherder::fuzz;
	if (size > 0) {
		auto bytes = Text(data + 1, size - 1);
		Decode([&] {
			switch (data[0] % 3) {
			case 0:
				return DecodeFrameAndBody(bytes);
			case 1:
				return DecodeTicket(bytes);
			default:
				return DecodeCall(bytes);
			}
		});
	}
	return 0;
}
