#pragma once

#include "duckdb.hpp"
#include "duckdb/planner/binder.hpp"
#include "duckdb/planner/logical_operator.hpp"

namespace duckherder {

//! Whether a sample of the rows of `op` can be read before the rows themselves, for less than they cost: it is a scan
//! that workers read, with filters and projections above it at most.
bool CanSample(const duckdb::LogicalOperator &op);

//! A plan that gives the values of `keys`, which are expressions over the columns of `op`, for all rows of `op`. It
//! reads no columns but those that it needs. Only for an `op` that can be sampled.
duckdb::unique_ptr<duckdb::LogicalOperator>
KeysOfRows(duckdb::ClientContext &context, duckdb::Binder &binder, const duckdb::LogicalOperator &op,
           const duckdb::vector<duckdb::reference<duckdb::Expression>> &keys);

} // namespace duckherder
