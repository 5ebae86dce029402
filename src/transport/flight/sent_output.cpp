#include "transport/flight/sent_output.hpp"

#include "wire/errors.hpp"
#include "transport/flight/rows_payload.hpp"

#include "duckdb/common/exception.hpp"

#include <arrow/record_batch.h>

namespace duckherder {

namespace flight = arrow::flight;

SentOutput::SentOutput(WorkerId worker_p, duckdb::vector<duckdb::LogicalType> types,
                       std::function<std::shared_ptr<ChunkSource>()> open_p,
                       std::shared_ptr<std::atomic<bool>> stopping_p)
    : worker(std::move(worker_p)), open(std::move(open_p)), stopping(std::move(stopping_p)), encoder(types) {
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
}

std::shared_ptr<arrow::Schema> SentOutput::schema() {
	return encoder.Schema();
}

arrow::Result<flight::FlightPayload> SentOutput::GetSchemaPayload() {
	return SchemaPayload(*encoder.Schema());
}

std::shared_ptr<arrow::RecordBatch> SentOutput::NextBatch() {
	if (!reader) {
		source = open();
		reader = source->OpenReader();
	}
	while (!read_all) {
		if (*stopping) {
			throw duckdb::IOException("Worker %s was stopped", worker);
		}
		if (position >= chunk.size()) {
			chunk.Reset();
			reader->Next(chunk);
			position = 0;
			read_all = chunk.size() == 0;
		}
		if (auto batch = encoder.Append(chunk, position)) {
			return batch;
		}
	}
	return encoder.Flush();
}

arrow::Result<flight::FlightPayload> SentOutput::Next() {
	if (marked) {
		return flight::FlightPayload();
	}
	flight_protocol::StreamFrame frame;
	try {
		if (auto batch = NextBatch()) {
			return RowsPayload(*batch);
		}
		frame = flight_protocol::EndFrame(encoder.RowCount());
	} catch (std::exception &error) {
		frame = flight_protocol::ErrorFrame(ToTaskError(error, worker));
	}
	marked = true;
	return FramePayload(encoder.Schema(), frame);
}

} // namespace duckherder
