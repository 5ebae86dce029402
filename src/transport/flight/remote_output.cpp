#include "transport/flight/remote_output.hpp"

#include "codec/chunk_codec.hpp"
#include "codec/messages.hpp"
#include "transport/flight/flight_protocol.hpp"

#include "duckdb/common/exception.hpp"

#include <arrow/record_batch.h>

#include <atomic>
#include <optional>

namespace duckherder {

using duckdb::DataChunk;
using duckdb::idx_t;
using duckdb::InterruptException;
using duckdb::IOException;

namespace flight = arrow::flight;

namespace {

//! The stream behind a source, shared with its reader.
class OutputStream {
public:
	OutputStream(std::shared_ptr<FlightConnections> connections_p, const std::string &location, std::string peer_p,
	             const FetchRequest &request, const duckdb::vector<duckdb::LogicalType> &types_p)
	    : types(types_p), connections(std::move(connections_p)), connection(connections->Get(location)),
	      peer(std::move(peer_p)), decoder(types) {
		flight::Ticket ticket {EncodeParts({EncodeFetchRequest(request), EncodeTypes(types)})};
		auto opened = connection->client->DoGet(connections->CallOptions(0), ticket);
		connections->Check(opened.status(), peer, connection);
		stream = opened.MoveValueUnsafe();
		ongoing.emplace(connections->calls, location, request.query_id, [this] { Cancel(); });
		ReadBatch();
	}

	~OutputStream() {
		ongoing.reset();
		if (!ended) {
			// else the destructor of the stream would read it to its end
			stream->Cancel();
		}
	}

	void Next(DataChunk &chunk) {
		while (true) {
			decoder.Next(chunk);
			if (chunk.size() > 0 || ended) {
				return;
			}
			ReadBatch();
		}
	}

	void Cancel() {
		cancelled = true;
		stream->Cancel();
	}

	const duckdb::vector<duckdb::LogicalType> types;
	//! Of the batch that Next delivers
	idx_t batch_index = 0;

private:
	void ReadBatch() {
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
		if (chunk->app_metadata) {
			flight_protocol::CheckEnd(flight_protocol::DecodeMark(*chunk->app_metadata), rows);
			ended = true;
			return;
		}
		rows += static_cast<uint64_t>(chunk->data->num_rows());
		batch_index++;
		decoder.SetBatch(std::move(chunk->data));
	}

	std::shared_ptr<FlightConnections> connections;
	std::shared_ptr<FlightConnections::Connection> connection;
	const std::string peer;
	ChunkDecoder decoder;
	std::unique_ptr<flight::FlightStreamReader> stream;
	uint64_t rows = 0;
	bool ended = false;
	std::atomic<bool> cancelled {false};
	std::optional<OngoingCalls::Entry> ongoing;
};

class RemoteOutputReader : public ChunkReader {
public:
	explicit RemoteOutputReader(std::shared_ptr<OutputStream> stream_p) : stream(std::move(stream_p)) {
	}
	void Next(DataChunk &chunk) override {
		stream->Next(chunk);
	}
	idx_t BatchIndex() const override {
		return stream->batch_index;
	}

private:
	std::shared_ptr<OutputStream> stream;
};

class RemoteOutput : public ChunkSource {
public:
	explicit RemoteOutput(std::shared_ptr<OutputStream> stream_p) : stream(std::move(stream_p)) {
	}
	const duckdb::vector<duckdb::LogicalType> &Types() const override {
		return stream->types;
	}
	idx_t MaxReaders() const override {
		return 1;
	}
	std::unique_ptr<ChunkReader> OpenReader() override {
		if (opened.exchange(true)) {
			throw duckdb::InternalException("the output of another worker has only one reader");
		}
		return std::make_unique<RemoteOutputReader>(stream);
	}
	void Cancel() override {
		stream->Cancel();
	}

private:
	std::shared_ptr<OutputStream> stream;
	std::atomic<bool> opened {false};
};

} // namespace

std::shared_ptr<ChunkSource> OpenRemoteOutput(const std::shared_ptr<FlightConnections> &connections,
                                              const std::string &location, const std::string &peer,
                                              const FetchRequest &request,
                                              const duckdb::vector<duckdb::LogicalType> &types) {
	return std::make_shared<RemoteOutput>(std::make_shared<OutputStream>(connections, location, peer, request, types));
}

} // namespace duckherder
