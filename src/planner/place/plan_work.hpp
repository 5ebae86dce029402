#pragma once

#include "planner/place/placement.hpp"
#include "planner/place/worth_distributing.hpp"

#include "duckdb.hpp"

namespace duckherder {

//! What an optimized plan does, whose operators run where `placement` says. The types of the plan are resolved.
PlanWork WorkOf(duckdb::ClientContext &context, duckdb::LogicalOperator &plan, const PlanPlacement &placement,
                const PlannerOptions &options);

//! The same for a plan whose operators have no placement yet: all of them run on workers, and each one that needs rows
//! of several tasks ends a stage. The plan may be one that DuckDB has not optimized; then the number of rows of a join
//! is taken to be that of its larger side.
PlanWork RoughWorkOf(duckdb::ClientContext &context, duckdb::LogicalOperator &plan, const PlannerOptions &options);

//! What a row of an exchange is estimated to take, in bytes.
duckdb::idx_t MovedRowBytes(const duckdb::vector<duckdb::LogicalType> &types);

//! Rows that are there to be read; 0 for functions that cannot tell: most of those only list something.
duckdb::idx_t StoredRows(duckdb::ClientContext &context, const duckdb::LogicalGet &get);

//! Rows that a scan reads: not those of row groups that its filters leave out by their bounds.
double RowsReadBy(duckdb::ClientContext &context, duckdb::LogicalGet &get);

} // namespace duckherder
