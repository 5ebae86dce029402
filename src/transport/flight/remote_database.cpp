#include "transport/flight/remote_database.hpp"

#include "wire/chunk_codec.hpp"
#include "wire/errors.hpp"
#include "wire/messages.hpp"
#include "common/limits.hpp"
#include "transport/flight/flight_connections.hpp"
#include "transport/flight/flight_protocol.hpp"
#include "transport/flight/remote_output.hpp"

#include "duckdb/common/exception.hpp"

#include <arrow/buffer.h>
#include <arrow/record_batch.h>

namespace duckherder {

namespace flight = arrow::flight;

namespace {

class SentRows : public ChunkSink {
public:
	SentRows(std::shared_ptr<FlightConnections> connections_p, const std::string &location, std::string peer_p,
	         const std::string &descriptor, const duckdb::vector<duckdb::LogicalType> &types)
	    : connections(std::move(connections_p)), connection(connections->Get(location)), peer(std::move(peer_p)),
	      encoder(types) {
		auto call = connection->client->DoPut(connections->CallOptions(0),
		                                      flight::FlightDescriptor::Command(descriptor), encoder.Schema());
		connections->Check(call.status(), peer, connection);
		writer = std::move(call->writer);
		reader = std::move(call->reader);
	}

	~SentRows() override {
		// without an end marker: what came is dropped there
		auto status = writer->Close();
		static_cast<void>(status);
	}

	void Append(duckdb::DataChunk &chunk) override {
		duckdb::idx_t position = 0;
		while (position < chunk.size()) {
			if (auto batch = encoder.Append(chunk, position)) {
				Write(*batch);
			}
		}
	}

	void Finish() override {
		if (auto batch = encoder.Flush()) {
			Write(*batch);
		}
		auto end = flight_protocol::FrameBuffer(flight_protocol::EndFrame(encoder.RowCount()));
		auto status = writer->WriteMetadata(end);
		if (status.ok()) {
			status = writer->DoneWriting();
		}
		ReadAnswer(status);
	}

private:
	void Write(const arrow::RecordBatch &batch) {
		auto frame = flight_protocol::RowsFrame(batch);
		auto status = frame.ok() ? writer->WriteWithMetadata(batch, *frame) : frame.status();
		if (!status.ok()) {
			// it has something to say before it hangs up
			ReadAnswer(status);
			connections->Check(status, peer, connection);
		}
	}

	void ReadAnswer(const arrow::Status &sent) {
		std::shared_ptr<arrow::Buffer> answer;
		auto status = reader->ReadMetadata(&answer);
		if (!status.ok() || !answer) {
			auto closed = writer->Close();
			connections->Check(!sent.ok() ? sent : closed.ok() ? status : closed, peer, connection);
			throw duckdb::IOException("%s did not confirm the rows that it was sent", peer);
		}
		auto frame = flight_protocol::DecodeFrame(*answer);
		if (frame.kind == flight_protocol::FrameKind::ERROR) {
			ThrowTaskError(DecodeMessage<TaskError>(frame.body));
		}
	}

	std::shared_ptr<FlightConnections> connections;
	std::shared_ptr<FlightConnections::Connection> connection;
	const std::string peer;
	ChunkEncoder encoder;
	std::unique_ptr<flight::FlightStreamWriter> writer;
	std::unique_ptr<flight::FlightMetadataReader> reader;
};

} // namespace

RemoteDatabase::RemoteDatabase(std::string location_p, FlightClientSettings settings)
    : location(std::move(location_p)), peer("driver at " + location),
      connections(std::make_shared<FlightConnections>(std::move(settings))) {
}

RemoteDatabase::~RemoteDatabase() = default;

template <class REQUEST, class REPLY>
REPLY RemoteDatabase::Call(const Action<REQUEST, REPLY> &action, const std::type_identity_t<REQUEST> &request,
                           uint64_t timeout_ms) {
	return connections->Call(location, peer, action, request, timeout_ms);
}

SessionInfo RemoteDatabase::OpenSession(const SessionRequest &request, Role) {
	return Call(actions::OPEN_SESSION, request, limits::CONTROL_CALL_TIMEOUT_MS);
}

void RemoteDatabase::CloseSession(const SessionId &session) {
	Call(actions::CLOSE_SESSION, {session}, limits::CONNECT_TIMEOUT_MS);
}

std::vector<double> RemoteDatabase::RenewSessions(const std::vector<SessionId> &sessions) {
	auto progress = Call(actions::RENEW_SESSIONS, {sessions}, limits::CONNECT_TIMEOUT_MS).percent;
	progress.resize(sessions.size(), -1);
	return progress;
}

CatalogListing RemoteDatabase::ListCatalog(const SessionId &session, bool knows, uint64_t known_version) {
	return Call(actions::LIST_CATALOG, {session, knows, known_version}, limits::SESSION_CALL_TIMEOUT_MS);
}

std::vector<TableEstimate> RemoteDatabase::EstimateRows(const SessionId &session) {
	return Call(actions::ESTIMATE_ROWS, {session}, limits::SESSION_CALL_TIMEOUT_MS).tables;
}

ResultShape RemoteDatabase::Describe(const SessionId &session, const std::string &sql,
                                     const duckdb::vector<duckdb::Value> &) {
	return Call(actions::DESCRIBE, {session, sql}, limits::SESSION_CALL_TIMEOUT_MS);
}

std::shared_ptr<ChunkSource> RemoteDatabase::Run(const SessionStatement &statement,
                                                 const duckdb::vector<duckdb::LogicalType> &types, GoneCheck) {
	return OpenRemoteResult(connections, location, peer, statement, types);
}

std::unique_ptr<ChunkSink> RemoteDatabase::OpenUpload(const SessionId &session, uint32_t number,
                                                      const duckdb::vector<duckdb::LogicalType> &types) {
	auto descriptor =
	    flight_protocol::Pack({flight_protocol::UPLOAD, session, std::to_string(number), EncodeTypes(types)});
	return std::make_unique<SentRows>(connections, location, peer, descriptor, types);
}

void RemoteDatabase::Commit(const SessionId &session) {
	Call(actions::COMMIT, {session}, limits::SESSION_CALL_TIMEOUT_MS);
}

void RemoteDatabase::Rollback(const SessionId &session) {
	Call(actions::ROLLBACK, {session}, limits::SESSION_CALL_TIMEOUT_MS);
}

} // namespace duckherder
