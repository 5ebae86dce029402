#include "transport/flight/remote_worker.hpp"

#include "wire/errors.hpp"
#include "wire/messages.hpp"
#include "common/limits.hpp"
#include "transport/flight/feed_sender.hpp"
#include "transport/flight/flight_protocol.hpp"
#include "transport/flight/known_stages.hpp"
#include "transport/flight/remote_output.hpp"

#include "duckdb.hpp"
#include "duckdb/common/exception.hpp"

namespace duckherder {

using duckdb::IOException;
using flight_protocol::FrameKind;

namespace flight = arrow::flight;

namespace {

//! Ends a call whatever became of it; left to itself Arrow would complain to stderr about one that was cut.
class CallEnd {
public:
	explicit CallEnd(flight::FlightStreamWriter &writer_p) : writer(writer_p) {
	}
	~CallEnd() {
		auto status = writer.Close();
		static_cast<void>(status);
	}

private:
	flight::FlightStreamWriter &writer;
};

std::string AttemptName(const TaskRequest &request) {
	return std::to_string(request.stage_id) + "." + std::to_string(request.task_id) + "." +
	       std::to_string(request.attempt);
}

} // namespace

RemoteWorker::RemoteWorker(WorkerAddress address_p, std::shared_ptr<FlightConnections> connections_p)
    : address(std::move(address_p)), peer("worker " + address.id + " at " + address.location),
      connections(std::move(connections_p)) {
}

void RemoteWorker::Handshake() {
	auto connection = connections->Get(address.location);
	if (connections->HasShakenHands(connection, address.id)) {
		return;
	}
	auto info = Call(actions::GET_INFO, {address.id}, limits::CONNECT_TIMEOUT_MS);
	if (info.duckdb_version != duckdb::DuckDB::LibraryVersion() || info.protocol_version != PROTOCOL_VERSION) {
		throw duckdb::InvalidInputException("%s runs DuckDB %s with protocol %d, this process DuckDB %s with protocol "
		                                    "%d: all nodes need the same versions",
		                                    peer, info.duckdb_version, info.protocol_version,
		                                    duckdb::DuckDB::LibraryVersion(), PROTOCOL_VERSION);
	}
	connections->SetShakenHands(connection, address.id);
}

TaskResult RemoteWorker::RunTask(const TaskRequest &request, std::shared_ptr<ChunkSource> feed) {
	auto taken = false;
	try {
		auto key = KnownStages::Key(request);
		auto connection = connections->Get(address.location);
		// a feed's rows are on their way before the node could ask for more
		auto without_stage = !feed && connections->KnowsStage(connection, key);
		auto result = TryRunTask(connection, request, feed, without_stage, taken);
		if (!result) {
			connections->SetKnowsStage(connection, key, false);
			result = TryRunTask(connection, request, feed, false, taken);
		}
		if (!result) {
			throw IOException("%s asks for what it was sent", peer);
		}
		connections->SetKnowsStage(connection, key, true);
		return std::move(*result);
	} catch (std::exception &error) {
		if (feed) {
			feed->Cancel();
		}
		TaskResult result;
		result.failed = true;
		result.error = ToTaskError(error, address.id);
		if (result.error.kind == ErrorKind::WORKER_FAILURE) {
			result.error.kind = taken ? ErrorKind::DISCONNECTED : ErrorKind::UNREACHABLE;
		}
		return result;
	}
}

std::optional<TaskResult> RemoteWorker::TryRunTask(const std::shared_ptr<FlightConnections::Connection> &connection,
                                                   const TaskRequest &request, const std::shared_ptr<ChunkSource> &feed,
                                                   bool without_stage, bool &taken) {
	auto types = feed ? feed->Types() : duckdb::vector<duckdb::LogicalType>();
	auto asking = request;
	asking.inline_bytes_max = limits::INLINE_OUTPUT_BYTES_MAX;
	auto encoded = without_stage ? EncodeTaskRequestWithoutStage(asking) : EncodeMessage(asking);
	auto message =
	    flight_protocol::Pack({encoded, EncodeTypes(types), without_stage ? flight_protocol::WITHOUT_STAGE : ""});
	auto exchange = connection->client->DoExchange(connections->CallOptions(0),
	                                               flight::FlightDescriptor::Command(flight_protocol::RUN_TASK));
	connections->Check(exchange.status(), peer, connection);
	auto &reader = *exchange->reader;
	auto &writer = *exchange->writer;
	CallEnd end(writer);
	// Before the worker can know of the task: who hears from there that it runs may stop it at once.
	OngoingCalls::Entry ongoing(connections->calls, address.location, request.query_id, AttemptName(request),
	                            [&] { reader.Cancel(); });
	// A call that was refused at once may fail here already. Its reader knows why.
	auto sent = writer.WriteMetadata(arrow::Buffer::FromString(std::move(message)));

	FeedSender sender(writer, sent.ok() ? feed : nullptr);
	while (true) {
		arrow::Result<flight::FlightStreamChunk> chunk;
		{
			CallWatch::Wait wait(connections->watch, [&] { reader.Cancel(); });
			chunk = reader.Next();
		}
		if (!chunk.ok() || !chunk->app_metadata) {
			// for the feed's sender, which may wait for room
			reader.Cancel();
			connections->Check(chunk.status(), peer, connection);
			throw IOException("%s ended the call without a result", peer);
		}
		auto frame = flight_protocol::DecodeFrame(*chunk->app_metadata);
		if (frame.kind == FrameKind::ALIVE) {
			taken = true;
			sender.Start();
		}
		if (frame.kind == FrameKind::RESEND && without_stage) {
			return std::nullopt;
		}
		if (frame.kind == FrameKind::RESULT) {
			auto result = DecodeMessage<TaskResult>(frame.body);
			if (feed) {
				// the task may have seen enough before the feed's end
				feed->Cancel();
			}
			return result;
		}
	}
}

std::shared_ptr<ChunkSource> RemoteWorker::Fetch(const FetchRequest &request,
                                                 const duckdb::vector<duckdb::LogicalType> &types) {
	return OpenRemoteOutput(connections, address.location, peer, request, types);
}

template <class REQUEST, class REPLY>
REPLY RemoteWorker::Call(const Action<REQUEST, REPLY> &action, const std::type_identity_t<REQUEST> &request,
                         uint64_t timeout_ms) {
	return connections->Call(address.location, peer, action, request, timeout_ms);
}

void RemoteWorker::CancelQuery(const QueryId &query_id) {
	try {
		Call(actions::CANCEL_QUERY, {address.id, query_id}, limits::CANCEL_CALL_TIMEOUT_MS);
	} catch (std::exception &) {
		connections->calls.Cut(address.location, query_id);
		throw;
	}
}

void RemoteWorker::RenewLease(const QueryId &query_id, const std::vector<std::string> &lost_locations) {
	Call(actions::RENEW_LEASE, {address.id, query_id, lost_locations}, limits::CONNECT_TIMEOUT_MS);
}

WorkerInfo RemoteWorker::GetInfo() {
	return Call(actions::GET_INFO, {address.id}, limits::CONNECT_TIMEOUT_MS);
}

void RemoteWorker::Drain() {
	Call(actions::DRAIN, {address.id}, limits::CONNECT_TIMEOUT_MS);
}

void RemoteWorker::StopAttempt(const TaskRequest &request) {
	connections->calls.Cut(address.location, request.query_id, AttemptName(request));
}

void RemoteWorker::LoadExtension(const std::string &name) {
	Call(actions::LOAD_EXTENSION, {address.id, name}, limits::LOAD_EXTENSION_TIMEOUT_MS);
}

} // namespace duckherder
