#include "transport/flight/session_streams.hpp"

#include "wire/chunk_codec.hpp"
#include "wire/errors.hpp"
#include "wire/messages.hpp"
#include "transport/flight/flight_protocol.hpp"
#include "transport/flight/sent_statement.hpp"

#include "duckdb/common/exception.hpp"

#include <arrow/record_batch.h>

#include <cstdlib>

namespace duckherder {

namespace flight = arrow::flight;

namespace {

uint64_t NumberOf(const std::string &text) {
	char *end = nullptr;
	auto number = std::strtoull(text.c_str(), &end, 10);
	if (text.empty() || *end != '\0') {
		throw duckdb::SerializationException("a call came with '%s' instead of a number", text);
	}
	return number;
}

void ReadRows(flight::FlightMessageReader &reader, const duckdb::vector<duckdb::LogicalType> &types, ChunkSink &sink) {
	ChunkDecoder decoder(types);
	duckdb::DataChunk chunk;
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
	uint64_t rows = 0;
	while (true) {
		auto message = reader.Next();
		if (!message.ok()) {
			throw duckdb::IOException("the rows of a client broke off: %s", message.status().message());
		}
		if (!message->app_metadata) {
			throw duckdb::IOException("the rows of a client ended without an end marker");
		}
		auto frame = flight_protocol::DecodeFrame(*message->app_metadata);
		if (!message->data) {
			flight_protocol::CheckEnd(frame, rows);
			return;
		}
		flight_protocol::CheckRows(frame, *message->data);
		rows += static_cast<uint64_t>(message->data->num_rows());
		decoder.SetBatch(std::move(message->data));
		while (true) {
			chunk.Reset();
			decoder.Next(chunk);
			if (chunk.size() == 0) {
				break;
			}
			sink.Append(chunk);
		}
	}
}

} // namespace

SessionStreams::SessionStreams(std::shared_ptr<DatabaseService> database_p) : database(std::move(database_p)) {
}

std::unique_ptr<flight::FlightDataStream> SessionStreams::Result(const flight::ServerCallContext &context,
                                                                 const std::vector<std::string> &ticket,
                                                                 std::shared_ptr<std::atomic<bool>> stopping) {
	flight_protocol::CheckParts(ticket, 3);
	auto statement = DecodeMessage<SessionStatement>(ticket[1]);
	statement.encoded = true;
	auto types = DecodeTypes(ticket[2]);
	auto gone = [&context, stopping] { return *stopping || context.is_cancelled(); };
	auto open = [database = database, statement = std::move(statement), types](const GoneCheck &check) {
		return database->Run(statement, types, check);
	};
	return std::make_unique<SentStatement>(types, std::move(open), std::move(gone));
}

void SessionStreams::Upload(const std::vector<std::string> &descriptor, flight::FlightMessageReader &reader,
                            flight::FlightMetadataWriter &writer) {
	flight_protocol::StreamFrame answer {flight_protocol::FrameKind::REPLY, ""};
	try {
		flight_protocol::CheckParts(descriptor, 4);
		auto types = DecodeTypes(descriptor[3]);
		auto number = static_cast<uint32_t>(NumberOf(descriptor[2]));
		auto sink = database->OpenUpload(descriptor[1], number, types);
		ReadRows(reader, types, *sink);
		sink->Finish();
	} catch (std::exception &error) {
		answer = flight_protocol::ErrorFrame(ToTaskError(error, ""));
	}
	auto status = writer.WriteMetadata(*flight_protocol::FrameBuffer(answer));
	static_cast<void>(status);
}

} // namespace duckherder
