#pragma once

#include "duckdb.hpp"
#include "duckdb/planner/logical_operator.hpp"

namespace duckherder {

//! Connects the joins of a decoded fragment with the scans below their probe sides, so that the values of a build side
//! filter what the scans read. These connections are pointers and do not travel, so they are made anew in each task. It
//! is one pass of DuckDB's optimizer; the others have run already, and some fail on fragments.
//! The plan must have resolved types and unresolved bindings.
void ConnectJoinFilters(duckdb::ClientContext &context, duckdb::LogicalOperator &plan);

} // namespace duckherder
