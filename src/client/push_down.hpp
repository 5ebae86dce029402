#pragma once

#include "duckdb.hpp"
#include "duckdb/planner/logical_operator.hpp"

namespace duckherder {

//! Before DuckDB's optimizer: what reads and writes one driver only goes there as it is, below EXPLAIN, COPY, and
//! writes to other databases, and is optimized there. Whatever is left waits for PushDownOptimized.
void PushDownWhole(duckdb::ClientContext &context, duckdb::unique_ptr<duckdb::LogicalOperator> &plan);

//! After it, when filters have moved down to their scans and unused columns are gone: the largest parts that read one
//! driver only go there, and give their rows to us. A statement that writes at a driver goes there as a whole, with the
//! rows of those of its parts that do not. Throws NotImplementedException if it cannot.
void PushDownOptimized(duckdb::ClientContext &context, duckdb::unique_ptr<duckdb::LogicalOperator> &plan);

} // namespace duckherder
