#pragma once

#include "planner/interface/planner_options.hpp"
#include "planner/split/clustered_scan.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/logical_operator.hpp"

namespace duckherder {

//! Needs an optimized plan, which stays as it is. Finds the columns by which scans can be cut so that equal values stay
//! together, among those that operators above have as keys: groups, DISTINCT, PARTITION BY, what joins compare.
ClusteredScans FindClusteredScans(duckdb::ClientContext &context, duckdb::LogicalOperator &plan,
                                  const PlannerOptions &options);

} // namespace duckherder
