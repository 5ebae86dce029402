#include "transport/flight/session_calls.hpp"

#include "wire/chunk_codec.hpp"
#include "wire/errors.hpp"
#include "wire/messages.hpp"
#include "transport/flight/flight_protocol.hpp"
#include "transport/flight/sent_statement.hpp"

#include "duckdb/common/exception.hpp"

#include <arrow/record_batch.h>

#include <cstdlib>
#include <set>

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

SessionCalls::SessionCalls(std::shared_ptr<DatabaseService> database_p, Role role_p)
    : database(std::move(database_p)), role(role_p) {
}

bool SessionCalls::Knows(const std::string &action) {
	static const std::set<std::string> actions = {flight_protocol::OPEN_SESSION,   flight_protocol::CLOSE_SESSION,
	                                              flight_protocol::RENEW_SESSIONS, flight_protocol::LIST_CATALOG,
	                                              flight_protocol::DESCRIBE,       flight_protocol::COMMIT,
	                                              flight_protocol::ROLLBACK,       flight_protocol::ESTIMATE_ROWS};
	return actions.count(action) > 0;
}

std::string SessionCalls::Act(const flight::Action &action, const std::string &peer) {
	auto parts = flight_protocol::Unpack(action.body ? action.body->ToString() : std::string());
	auto &type = action.type;
	if (type == flight_protocol::RENEW_SESSIONS) {
		std::vector<std::string> progress;
		for (auto percent : database->RenewSessions(parts)) {
			progress.push_back(std::to_string(percent));
		}
		return EncodeParts(progress);
	}
	if (type == flight_protocol::LIST_CATALOG || type == flight_protocol::DESCRIBE) {
		flight_protocol::CheckParts(parts, 2);
		if (type == flight_protocol::DESCRIBE) {
			return EncodeResultShape(database->Describe(parts[0], parts[1]));
		}
		auto knows = !parts[1].empty();
		return EncodeCatalogListing(database->ListCatalog(parts[0], knows, knows ? NumberOf(parts[1]) : 0));
	}
	flight_protocol::CheckParts(parts, 1);
	if (type == flight_protocol::ESTIMATE_ROWS) {
		std::vector<std::string> answer;
		for (auto &estimate : database->EstimateRows(parts[0])) {
			answer.push_back(std::move(estimate.schema));
			answer.push_back(std::move(estimate.table));
			answer.push_back(std::to_string(estimate.rows));
		}
		return EncodeParts(answer);
	}
	if (type == flight_protocol::OPEN_SESSION) {
		auto request = DecodeSessionRequest(parts[0]);
		request.client = peer;
		request.protocol = "ATTACH";
		return EncodeSessionInfo(database->OpenSession(request, role));
	}
	if (type == flight_protocol::CLOSE_SESSION) {
		database->CloseSession(parts[0]);
	} else if (type == flight_protocol::COMMIT) {
		database->Commit(parts[0]);
	} else {
		database->Rollback(parts[0]);
	}
	return "";
}

std::unique_ptr<flight::FlightDataStream> SessionCalls::Result(const flight::ServerCallContext &context,
                                                               const std::vector<std::string> &ticket,
                                                               std::shared_ptr<std::atomic<bool>> stopping) {
	flight_protocol::CheckParts(ticket, 3);
	auto statement = DecodeSessionStatement(ticket[1]);
	statement.encoded = true;
	auto types = DecodeTypes(ticket[2]);
	auto gone = [&context, stopping] { return *stopping || context.is_cancelled(); };
	auto open = [database = database, statement = std::move(statement), types](const GoneCheck &check) {
		return database->Run(statement, types, check);
	};
	return std::make_unique<SentStatement>(types, std::move(open), std::move(gone));
}

void SessionCalls::Upload(const std::vector<std::string> &descriptor, flight::FlightMessageReader &reader,
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
