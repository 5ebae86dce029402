#pragma once

#include "transport/flight/flight_protocol.hpp"

#include <arrow/flight/server.h>

#include <memory>

//! What a DoGet sends: the schema, batches with their checksums, and frames. Stateless.
namespace duckherder {

arrow::Result<arrow::flight::FlightPayload> SchemaPayload(const arrow::Schema &schema);
arrow::Result<arrow::flight::FlightPayload> RowsPayload(const arrow::RecordBatch &batch);
//! Beside an empty batch: this kind of stream has no messages without data
arrow::Result<arrow::flight::FlightPayload> FramePayload(const std::shared_ptr<arrow::Schema> &schema,
                                                         const flight_protocol::StreamFrame &frame);

} // namespace duckherder
