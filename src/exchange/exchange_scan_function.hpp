#pragma once

#include "duckdb.hpp"

namespace duckherder {

//! Registers the table function EXCHANGE_SCAN_NAME, which the physical plan of a LogicalExchangeScan calls. It finds
//! its rows through the TaskInputs of the connection. Its bind throws: a user cannot call it. Idempotent per database.
void RegisterExchangeScanFunction(duckdb::DatabaseInstance &db);

} // namespace duckherder
