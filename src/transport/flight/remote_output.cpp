#include "transport/flight/remote_output.hpp"

#include "wire/chunk_codec.hpp"
#include "wire/messages.hpp"
#include "common/limits.hpp"
#include "transport/flight/batch_stream.hpp"
#include "transport/flight/flight_protocol.hpp"
#include "transport/flight/read_ahead.hpp"

#include "duckdb/common/exception.hpp"

#include <arrow/record_batch.h>
#include <arrow/util/byte_size.h>

#include <atomic>

namespace duckherder {

using duckdb::DataChunk;
using duckdb::idx_t;
using duckdb::LogicalType;

namespace {

class OutputReader : public ChunkReader {
public:
	OutputReader(std::shared_ptr<BatchStream> stream_p, const duckdb::vector<LogicalType> &types)
	    : stream(std::move(stream_p)), decoder(types) {
	}

	void Next(DataChunk &chunk) override {
		while (true) {
			decoder.Next(chunk);
			if (chunk.size() > 0 || ended) {
				return;
			}
			auto batch = stream->Read();
			if (batch) {
				number++;
				received_bytes += static_cast<uint64_t>(arrow::util::TotalBufferSize(*batch));
				decoder.SetBatch(std::move(batch));
			} else {
				ended = true;
			}
		}
	}
	idx_t BatchIndex() const override {
		return number;
	}
	uint64_t ReceivedBytes() const override {
		return received_bytes;
	}

private:
	std::shared_ptr<BatchStream> stream;
	ChunkDecoder decoder;
	idx_t number = 0;
	uint64_t received_bytes = 0;
	bool ended = false;
};

class RemoteOutput : public ChunkSource {
public:
	RemoteOutput(std::shared_ptr<BatchStream> stream_p, const duckdb::vector<LogicalType> &types_p)
	    : stream(std::move(stream_p)), types(types_p) {
	}
	const duckdb::vector<LogicalType> &Types() const override {
		return types;
	}
	idx_t MaxReaders() const override {
		return 1;
	}
	std::unique_ptr<ChunkReader> OpenReader() override {
		if (opened.exchange(true)) {
			throw duckdb::InternalException("the output of another worker has only one reader");
		}
		return std::make_unique<OutputReader>(stream, types);
	}
	void Cancel() override {
		stream->Cancel();
	}

private:
	std::shared_ptr<BatchStream> stream;
	const duckdb::vector<LogicalType> types;
	std::atomic<bool> opened {false};
};

//! What the readers of a result share
struct ResultStream {
	explicit ResultStream(std::shared_ptr<BatchStream> stream_p)
	    : stream(std::move(stream_p)), ahead([stream = stream] { return stream->Read(); }) {
	}
	~ResultStream() {
		// our thread may wait for it
		stream->Cancel();
	}

	std::shared_ptr<BatchStream> stream;
	ReadAhead ahead;
};

class ResultReader : public ChunkReader {
public:
	ResultReader(std::shared_ptr<ResultStream> result_p, const duckdb::vector<LogicalType> &types)
	    : result(std::move(result_p)), decoder(types) {
	}

	void Next(DataChunk &chunk) override {
		while (!Decode(chunk)) {
			Use(result->ahead.Take(part));
		}
	}
	bool TryNext(DataChunk &chunk, const std::function<void()> &on_news) override {
		while (!Decode(chunk)) {
			ReadAhead::Batch batch;
			if (!result->ahead.TryTake(part, batch, on_news)) {
				return false;
			}
			Use(std::move(batch));
		}
		return true;
	}
	idx_t BatchIndex() const override {
		return part ? part->number : 0;
	}

private:
	//! False: the batch is used up
	bool Decode(DataChunk &chunk) {
		decoder.Next(chunk);
		return chunk.size() > 0 || ended;
	}
	void Use(ReadAhead::Batch batch) {
		if (batch) {
			decoder.SetBatch(std::move(batch));
		} else {
			ended = true;
		}
	}

	std::shared_ptr<ResultStream> result;
	ChunkDecoder decoder;
	std::shared_ptr<ReadAhead::Part> part;
	bool ended = false;
};

class RemoteResult : public ChunkSource {
public:
	RemoteResult(std::shared_ptr<BatchStream> stream, const duckdb::vector<LogicalType> &types_p)
	    : result(std::make_shared<ResultStream>(std::move(stream))), types(types_p) {
	}
	const duckdb::vector<LogicalType> &Types() const override {
		return types;
	}
	idx_t MaxReaders() const override {
		return limits::RESULT_READERS_MAX;
	}
	std::unique_ptr<ChunkReader> OpenReader() override {
		return std::make_unique<ResultReader>(result, types);
	}
	void Cancel() override {
		result->stream->Cancel();
	}

private:
	std::shared_ptr<ResultStream> result;
	const duckdb::vector<LogicalType> types;
};

} // namespace

std::shared_ptr<ChunkSource> OpenRemoteOutput(const std::shared_ptr<FlightConnections> &connections,
                                              const std::string &location, const std::string &peer,
                                              const FetchRequest &request, const duckdb::vector<LogicalType> &types) {
	auto ticket = flight_protocol::Pack({EncodeMessage(request), EncodeTypes(types)});
	return std::make_shared<RemoteOutput>(
	    std::make_shared<BatchStream>(connections, location, peer, request.query_id, ticket), types);
}

std::shared_ptr<ChunkSource> OpenRemoteResult(const std::shared_ptr<FlightConnections> &connections,
                                              const std::string &location, const std::string &peer,
                                              const SessionStatement &statement,
                                              const duckdb::vector<LogicalType> &types) {
	auto ticket = flight_protocol::Pack({flight_protocol::STATEMENT, EncodeMessage(statement), EncodeTypes(types)});
	return std::make_shared<RemoteResult>(
	    std::make_shared<BatchStream>(connections, location, peer, statement.session, ticket), types);
}

} // namespace duckherder
