#include "transport/flight/remote_output.hpp"

#include "codec/chunk_codec.hpp"
#include "codec/messages.hpp"
#include "common/limits.hpp"
#include "transport/flight/flight_protocol.hpp"

#include "duckdb/common/exception.hpp"

#include <arrow/record_batch.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace duckherder {

using duckdb::DataChunk;
using duckdb::idx_t;
using duckdb::InterruptException;
using duckdb::IOException;

namespace flight = arrow::flight;

namespace {

//! DoGet waits for the schema, and nothing can be cancelled before it returns: it gets a thread of its own, so that a
//! silent node can be given up.
class Opening : public std::enable_shared_from_this<Opening> {
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

//! Reads batches before they are wanted, on a thread of its own: at most RESULT_QUEUE_BATCHES.
class ReadAhead {
public:
	using Batch = std::shared_ptr<arrow::RecordBatch>;

	//! `read` returns null at the end, after which it is not called again
	explicit ReadAhead(std::function<Batch()> read_p) : read(std::move(read_p)), thread([this] { Run(); }) {
	}
	//! Whoever destroys it has seen to it that `read` does not wait any more
	~ReadAhead() {
		{
			std::lock_guard<std::mutex> guard(lock);
			stopping = true;
		}
		changed.notify_all();
		thread.join();
	}

	//! Null at the end; throws what `read` throws
	Batch Take() {
		std::unique_lock<std::mutex> guard(lock);
		changed.wait(guard, [&] { return !batches.empty() || done; });
		if (batches.empty()) {
			if (error) {
				std::rethrow_exception(error);
			}
			return nullptr;
		}
		auto batch = std::move(batches.front());
		batches.pop_front();
		changed.notify_all();
		return batch;
	}

private:
	void Run() {
		std::exception_ptr thrown;
		try {
			while (auto batch = read()) {
				std::unique_lock<std::mutex> guard(lock);
				changed.wait(guard, [&] { return stopping || batches.size() < limits::RESULT_QUEUE_BATCHES; });
				if (stopping) {
					return;
				}
				batches.push_back(std::move(batch));
				changed.notify_all();
			}
		} catch (...) {
			thrown = std::current_exception();
		}
		std::lock_guard<std::mutex> guard(lock);
		error = thrown;
		done = true;
		changed.notify_all();
	}

	std::function<Batch()> read;
	std::mutex lock;
	std::condition_variable changed;
	std::deque<Batch> batches;
	std::exception_ptr error;
	bool done = false;
	bool stopping = false;
	std::thread thread;
};

//! The stream behind a source, shared with its reader. Asked for at once, waited for when rows are needed, so that
//! whoever asked can give up a node that does not answer.
class OutputStream {
public:
	OutputStream(std::shared_ptr<FlightConnections> connections_p, const std::string &location, std::string peer_p,
	             const std::string &query, const std::string &ticket_bytes,
	             const duckdb::vector<duckdb::LogicalType> &types_p, bool reads_ahead_p)
	    : types(types_p), reads_ahead(reads_ahead_p), connections(std::move(connections_p)),
	      connection(connections->Get(location)), peer(std::move(peer_p)), decoder(types),
	      opening(std::make_shared<Opening>()) {
		flight::Ticket ticket {ticket_bytes};
		ongoing.emplace(connections->calls, location, query, "", [this] { Cut(); });
		opening->Start(connection, connections->CallOptions(0), ticket);
	}

	~OutputStream() {
		ongoing.reset();
		if (!ended) {
			// else the destructor of the stream would read it to its end
			Cut();
		}
		ahead.reset();
	}

	//! False: there is nothing yet
	bool TryNext(DataChunk &chunk) {
		decoder.Next(chunk);
		return chunk.size() > 0 || ended;
	}

	void Await() {
		if (!stream) {
			Open();
		}
		TakeBatch();
	}

	void Cancel() {
		cancelled = true;
		Cut();
	}

	const duckdb::vector<duckdb::LogicalType> types;
	//! The next batches are read while one is used
	const bool reads_ahead;
	//! Of the batch that Next delivers
	idx_t batch_index = 0;

private:
	//! The call fails, wherever it is. Any thread.
	void Cut() {
		opening->Cut();
		std::lock_guard<std::mutex> guard(lock);
		if (stream) {
			stream->Cancel();
		}
	}

	void Open() {
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

	void TakeBatch() {
		auto batch = ahead ? ahead->Take() : ReadBatch();
		if (!batch) {
			ended = true;
			return;
		}
		batch_index++;
		decoder.SetBatch(std::move(batch));
		// a small result is not worth a thread
		if (reads_ahead && !ahead && batch_index == 2) {
			ahead.emplace([this] { return ReadBatch(); });
		}
	}

	//! Null at the end
	std::shared_ptr<arrow::RecordBatch> ReadBatch() {
		while (true) {
			auto chunk = ReadMessage();
			auto mark = flight_protocol::DecodeMark(*chunk.app_metadata);
			if (mark.kind == flight_protocol::MarkKind::ALIVE) {
				continue;
			}
			if (mark.kind != flight_protocol::MarkKind::ROWS) {
				flight_protocol::CheckEnd(mark, rows);
				return nullptr;
			}
			flight_protocol::CheckRows(mark, *chunk.data);
			rows += static_cast<uint64_t>(chunk.data->num_rows());
			return std::move(chunk.data);
		}
	}

	//! With data and metadata
	flight::FlightStreamChunk ReadMessage() {
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

	std::shared_ptr<FlightConnections> connections;
	std::shared_ptr<FlightConnections::Connection> connection;
	const std::string peer;
	ChunkDecoder decoder;
	std::shared_ptr<Opening> opening;
	//! Guards the pointer: it is set by the reader, and used by whoever cuts the call
	std::mutex lock;
	std::unique_ptr<flight::FlightStreamReader> stream;
	//! That ReadBatch has returned
	uint64_t rows = 0;
	bool ended = false;
	std::atomic<bool> cancelled {false};
	std::optional<OngoingCalls::Entry> ongoing;
	std::optional<ReadAhead> ahead;
};

class RemoteOutputReader : public ChunkReader {
public:
	explicit RemoteOutputReader(std::shared_ptr<OutputStream> stream_p) : stream(std::move(stream_p)) {
	}
	void Next(DataChunk &chunk) override {
		while (!stream->TryNext(chunk)) {
			stream->Await();
		}
	}
	bool TryNext(DataChunk &chunk) override {
		return stream->TryNext(chunk);
	}
	void Await() override {
		stream->Await();
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
	auto ticket = flight_protocol::Pack({EncodeFetchRequest(request), EncodeTypes(types)});
	return std::make_shared<RemoteOutput>(
	    std::make_shared<OutputStream>(connections, location, peer, request.query_id, ticket, types, false));
}

std::shared_ptr<ChunkSource> OpenRemoteResult(const std::shared_ptr<FlightConnections> &connections,
                                              const std::string &location, const std::string &peer,
                                              const SessionStatement &statement,
                                              const duckdb::vector<duckdb::LogicalType> &types) {
	auto ticket =
	    flight_protocol::Pack({flight_protocol::STATEMENT, EncodeSessionStatement(statement), EncodeTypes(types)});
	return std::make_shared<RemoteOutput>(
	    std::make_shared<OutputStream>(connections, location, peer, statement.session, ticket, types, true));
}

} // namespace duckherder
