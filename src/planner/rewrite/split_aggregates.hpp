#pragma once

#include "duckdb.hpp"
#include "duckdb/planner/binder.hpp"
#include "duckdb/planner/operator/logical_aggregate.hpp"

namespace duckherder {

//! Whether every aggregate of the node can be computed in parts and merged: by function and type, no DISTINCT, no
//! ORDER BY, one grouping set.
bool CanSplitAggregate(const duckdb::LogicalAggregate &aggregate);

//! Takes `aggregate` apart: the partial form is returned (with the original's child), the final form stays in
//! `aggregate`, without child, keeps its column bindings and types, and reads the partial's columns.
duckdb::unique_ptr<duckdb::LogicalAggregate> SplitAggregate(duckdb::Binder &binder,
                                                            duckdb::LogicalAggregate &aggregate);

} // namespace duckherder
