#pragma once

#include "duckdb.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

namespace duckherder {

// Copies of parts of a plan that keep their table indexes. LogicalOperator::Copy serializes them, and so would bind a
// scan again.

//! A scan that reads what `bind_data` says. Filters that other operators fill in are left out.
duckdb::unique_ptr<duckdb::LogicalGet> CopyScan(const duckdb::LogicalGet &get,
                                                duckdb::unique_ptr<duckdb::FunctionData> bind_data);

//! A filter or a projection over `child`, whatever its own child is.
duckdb::unique_ptr<duckdb::LogicalOperator> CopyStep(const duckdb::LogicalOperator &step,
                                                     duckdb::unique_ptr<duckdb::LogicalOperator> child);

} // namespace duckherder
