#include "transport/flight/sent_output.hpp"

#include "codec/errors.hpp"

#include "duckdb/common/exception.hpp"

#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>

namespace duckherder {

namespace flight = arrow::flight;

SentOutput::SentOutput(WorkerId worker_p, duckdb::vector<duckdb::LogicalType> types,
                       std::function<std::shared_ptr<ChunkSource>()> open_p,
                       std::shared_ptr<std::atomic<bool>> stopping_p)
    : worker(std::move(worker_p)), open(std::move(open_p)), stopping(std::move(stopping_p)), encoder(types),
      mapper(*encoder.Schema()) {
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
}

std::shared_ptr<arrow::Schema> SentOutput::schema() {
	return encoder.Schema();
}

arrow::Result<flight::FlightPayload> SentOutput::GetSchemaPayload() {
	flight::FlightPayload payload;
	ARROW_RETURN_NOT_OK(arrow::ipc::GetSchemaPayload(*encoder.Schema(), arrow::ipc::IpcWriteOptions::Defaults(), mapper,
	                                                 &payload.ipc_message));
	return payload;
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
	flight::FlightPayload payload;
	if (marked) {
		return payload;
	}
	std::shared_ptr<arrow::RecordBatch> batch;
	try {
		batch = NextBatch();
		if (!batch) {
			payload.app_metadata = flight_protocol::MarkBuffer(flight_protocol::EndMark(encoder.RowCount()));
		}
	} catch (std::exception &error) {
		payload.app_metadata = flight_protocol::MarkBuffer(flight_protocol::ErrorMark(ToTaskError(error, worker)));
	}
	if (!batch) {
		marked = true;
		// this kind of stream has no messages without data
		ARROW_ASSIGN_OR_RAISE(batch, arrow::RecordBatch::MakeEmpty(encoder.Schema()));
	}
	ARROW_RETURN_NOT_OK(
	    arrow::ipc::GetRecordBatchPayload(*batch, arrow::ipc::IpcWriteOptions::Defaults(), &payload.ipc_message));
	if (!marked) {
		payload.app_metadata = flight_protocol::RowsMark(*batch, payload.ipc_message);
	}
	return payload;
}

} // namespace duckherder
