#pragma once

#include "duckdb.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

namespace duckherder {

//! Whether DuckDB would look up the rows of an optimized scan in an index instead of reading the table. DuckDB itself
//! is asked, under the query's transaction: the scan is begun and left again, which costs what a look-up costs.
bool AnsweredByIndex(duckdb::ClientContext &context, const duckdb::LogicalGet &get);

} // namespace duckherder
