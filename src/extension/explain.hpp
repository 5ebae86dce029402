#pragma once

#include "planner/distributed_plan.hpp"

#include "duckdb.hpp"

namespace duckherder {

//! What EXPLAIN shows in the gather of `root`: each stage below it with its operators, its split and its exchange.
duckdb::InsertionOrderPreservingMap<duckdb::string> ExplainStages(duckdb::ClientContext &context,
                                                                  const DistributedPlan &plan, StageId root);

} // namespace duckherder
