#pragma once

#include "protocol/database_service.hpp"

#include <arrow/flight/server.h>

#include <functional>
#include <memory>
#include <string>

namespace duckherder {

//! Calls `take` for each batch that a client sends; returns after the last one. Throws IOException if they break off: a
//! client that gave up, was killed or lost its connection has not sent all, and nothing of it may be kept. `gone` says
//! whether the call was cancelled.
void ReadBatches(arrow::flight::FlightMessageReader &reader, const GoneCheck &gone,
                 const std::function<void(const std::shared_ptr<arrow::RecordBatch> &)> &take);

//! Sends the client its answer before what it has sent is committed, and throws IOException if it is not there any more
//! to get it. Only for calls whose clients wait for the status that follows.
void AnswerBeforeCommit(arrow::flight::FlightMetadataWriter &writer, const GoneCheck &gone, const std::string &answer);

} // namespace duckherder
