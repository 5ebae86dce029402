#include "transport/flight/batch_stream.hpp"

#include "common/limits.hpp"
#include "transport/flight/flight_protocol.hpp"

#include "duckdb/common/exception.hpp"

#include <arrow/record_batch.h>

#include <chrono>
#include <condition_variable>
#include <thread>

namespace duckherder {

using duckdb::InterruptException;
using duckdb::IOException;

namespace flight = arrow::flight;

//! DoGet waits for the schema, and nothing can be cancelled before it returns: it gets a thread of its own, so that a
//! silent node can be given up.
class BatchStream::Opening : public std::enable_shared_from_this<Opening> {
public:
	using Stream = std::unique_ptr<flight::FlightStreamReader>;

	void Start(const std::shared_ptr<FlightConnections::Connection> &connection,
	           const flight::FlightCallOptions &options, const flight::Ticket &ticket) {
		std::thread([self = shared_from_this(), connection, options, ticket] {
			auto opened = connection->client->DoGet(options, ticket);
			std::lock_guard<std::mutex> guard(self->lock);
			if (self->cut && opened.ok()) {
				(*opened)->Cancel();
			}
			self->result = std::move(opened);
			self->changed.notify_all();
		}).detach();
	}

	void Cut() {
		std::lock_guard<std::mutex> guard(lock);
		cut = true;
		changed.notify_all();
	}

	bool IsCut() {
		std::lock_guard<std::mutex> guard(lock);
		return cut;
	}

	arrow::Result<Stream> Wait() {
		std::unique_lock<std::mutex> guard(lock);
		auto time = std::chrono::milliseconds(limits::KEEPALIVE_TIMEOUT_MS);
		if (changed.wait_for(guard, time, [&] { return result || cut; }) && result) {
			return std::move(*result);
		}
		auto was_cut = cut;
		cut = true;
		if (was_cut) {
			return arrow::Status::Cancelled("the call was given up");
		}
		return arrow::Status::IOError("it gave no answer");
	}

private:
	std::mutex lock;
	std::condition_variable changed;
	std::optional<arrow::Result<Stream>> result;
	bool cut = false;
};

BatchStream::BatchStream(std::shared_ptr<FlightConnections> connections_p, const std::string &location,
                         std::string peer_p, const std::string &query, const std::string &ticket_bytes)
    : connections(std::move(connections_p)), connection(connections->Get(location)), peer(std::move(peer_p)),
      opening(std::make_shared<Opening>()) {
	flight::Ticket ticket {ticket_bytes};
	ongoing.emplace(connections->calls, location, query, "", [this] { Cut(); });
	opening->Start(connection, connections->CallOptions(0), ticket);
}

BatchStream::~BatchStream() {
	ongoing.reset();
	// else the destructor of the stream would read it to its end
	Cancel();
}

BatchStream::Batch BatchStream::Read() {
	if (!stream) {
		Open();
	}
	while (true) {
		auto chunk = ReadMessage();
		auto frame = flight_protocol::DecodeFrame(*chunk.app_metadata);
		if (frame.kind == flight_protocol::FrameKind::ALIVE) {
			continue;
		}
		if (frame.kind != flight_protocol::FrameKind::ROWS) {
			flight_protocol::CheckEnd(frame, rows);
			ended = true;
			return nullptr;
		}
		flight_protocol::CheckRows(frame, *chunk.data);
		rows += static_cast<uint64_t>(chunk.data->num_rows());
		return std::move(chunk.data);
	}
}

void BatchStream::Cancel() {
	if (!ended) {
		cancelled = true;
		Cut();
	}
}

//! The call fails, wherever it is
void BatchStream::Cut() {
	opening->Cut();
	std::lock_guard<std::mutex> guard(lock);
	if (stream) {
		stream->Cancel();
	}
}

void BatchStream::Open() {
	auto opened = opening->Wait();
	if (cancelled) {
		throw InterruptException();
	}
	connections->Check(opened.status(), peer, connection);
	std::lock_guard<std::mutex> guard(lock);
	stream = opened.MoveValueUnsafe();
	if (opening->IsCut()) {
		stream->Cancel();
	}
}

//! With data and metadata
flight::FlightStreamChunk BatchStream::ReadMessage() {
	arrow::Result<flight::FlightStreamChunk> chunk;
	{
		CallWatch::Wait wait(connections->watch, [this] { stream->Cancel(); });
		chunk = stream->Next();
	}
	if (cancelled) {
		throw InterruptException();
	}
	connections->Check(chunk.status(), peer, connection);
	if (!chunk->data) {
		throw IOException("%s ended a stream without its end marker", peer);
	}
	if (!chunk->app_metadata) {
		throw IOException("%s sent a batch without its checksum", peer);
	}
	return chunk.MoveValueUnsafe();
}

} // namespace duckherder
