#pragma once

#include "wire/chunk_codec.hpp"
#include "common/ids.hpp"
#include "protocol/chunk_source.hpp"
#include "transport/flight/flight_protocol.hpp"

#include <arrow/flight/server.h>

#include <atomic>
#include <functional>
#include <memory>

namespace duckherder {

//! An output of a worker as a Flight stream: batches, then an empty batch with the end frame, or with the error that
//! ended it. Used by one thread.
class SentOutput : public arrow::flight::FlightDataStream {
public:
	//! `open` is called with the first batch; what it throws travels as an error. `stopping` ends the stream with one.
	SentOutput(WorkerId worker, duckdb::vector<duckdb::LogicalType> types,
	           std::function<std::shared_ptr<ChunkSource>()> open, std::shared_ptr<std::atomic<bool>> stopping);

	std::shared_ptr<arrow::Schema> schema() override;
	arrow::Result<arrow::flight::FlightPayload> GetSchemaPayload() override;
	arrow::Result<arrow::flight::FlightPayload> Next() override;

private:
	//! Null at the end
	std::shared_ptr<arrow::RecordBatch> NextBatch();

	const WorkerId worker;
	std::function<std::shared_ptr<ChunkSource>()> open;
	std::shared_ptr<std::atomic<bool>> stopping;
	ChunkEncoder encoder;
	std::shared_ptr<ChunkSource> source;
	std::unique_ptr<ChunkReader> reader;
	duckdb::DataChunk chunk;
	duckdb::idx_t position = 0;
	bool read_all = false;
	bool marked = false;
};

} // namespace duckherder
