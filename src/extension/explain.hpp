#pragma once

#include "driver/query_recorder.hpp"
#include "planner/distributed_plan.hpp"

#include "duckdb.hpp"

namespace duckherder {

//! What EXPLAIN shows in the gather of `root`: each stage below it with its operators, its split and its exchange.
duckdb::InsertionOrderPreservingMap<duckdb::string> ExplainStages(duckdb::ClientContext &context,
                                                                  const DistributedPlan &plan, StageId root);

//! The finished tasks of these stages for EXPLAIN ANALYZE: where they ran, rows read, bytes put out, time.
duckdb::InsertionOrderPreservingMap<duckdb::string> ExplainTasks(const DistributedPlan &plan, StageId root,
                                                                 const std::vector<TaskRecord> &tasks);

} // namespace duckherder
