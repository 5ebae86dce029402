#pragma once

#include "protocol/database_service.hpp"

#include "duckdb.hpp"

#include <functional>

namespace duckherder {

//! Runs `statement` on the connection and gives its rows while it runs. With `buffered` it has ended when this returns,
//! with `discard_rows` too, and its rows are not there. Without `types` its columns may be of any.
//! With `encoded` they are batches. The source has one reader, and keeps the connection until it is destroyed:
//! `on_change` is called with false then, or at the last row, whichever is first, and with true when the statement is
//! planned and begins to run. Throws what the statement throws, here or at a read, after `on_error` could say more of
//! it, and InterruptException once `gone`.
std::shared_ptr<ChunkSource>
RunStatement(duckdb::Connection &connection, duckdb::unique_ptr<duckdb::SQLStatement> statement,
             const duckdb::vector<duckdb::Value> &parameters, const duckdb::vector<duckdb::LogicalType> &types,
             bool buffered, bool encoded, bool discard_rows, GoneCheck gone,
             std::function<void(bool started)> on_change, std::function<void(duckdb::ErrorData &error)> on_error);

} // namespace duckherder
