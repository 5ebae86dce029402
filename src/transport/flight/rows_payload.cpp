#include "transport/flight/rows_payload.hpp"

#include <arrow/ipc/dictionary.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>

namespace duckherder {

namespace flight = arrow::flight;

arrow::Result<flight::FlightPayload> SchemaPayload(const arrow::Schema &schema) {
	flight::FlightPayload payload;
	arrow::ipc::DictionaryFieldMapper mapper(schema);
	ARROW_RETURN_NOT_OK(
	    arrow::ipc::GetSchemaPayload(schema, arrow::ipc::IpcWriteOptions::Defaults(), mapper, &payload.ipc_message));
	return payload;
}

static arrow::Result<flight::FlightPayload> BatchPayload(const arrow::RecordBatch &batch) {
	flight::FlightPayload payload;
	ARROW_RETURN_NOT_OK(
	    arrow::ipc::GetRecordBatchPayload(batch, arrow::ipc::IpcWriteOptions::Defaults(), &payload.ipc_message));
	return payload;
}

arrow::Result<flight::FlightPayload> RowsPayload(const arrow::RecordBatch &batch) {
	ARROW_ASSIGN_OR_RAISE(auto payload, BatchPayload(batch));
	payload.app_metadata = flight_protocol::RowsFrame(batch, payload.ipc_message);
	return payload;
}

arrow::Result<flight::FlightPayload> FramePayload(const std::shared_ptr<arrow::Schema> &schema,
                                                  const flight_protocol::StreamFrame &frame) {
	ARROW_ASSIGN_OR_RAISE(auto batch, arrow::RecordBatch::MakeEmpty(schema));
	ARROW_ASSIGN_OR_RAISE(auto payload, BatchPayload(*batch));
	payload.app_metadata = flight_protocol::FrameBuffer(frame);
	return payload;
}

} // namespace duckherder
