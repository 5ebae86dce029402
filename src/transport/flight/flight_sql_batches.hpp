#pragma once

#include <arrow/flight/server.h>

#include <functional>
#include <memory>

namespace duckherder {

//! Calls `take` for each batch that a client sends; returns after the last one. Throws InvalidInputException if they
//! break off.
void ReadBatches(arrow::flight::FlightMessageReader &reader,
                 const std::function<void(const std::shared_ptr<arrow::RecordBatch> &)> &take);

} // namespace duckherder
