#pragma once

#include "history/query_recorder.hpp"
#include "coordinator/stage_executions.hpp"
#include "planner/interface/distributed_plan.hpp"

#include "duckdb.hpp"

#include <vector>

namespace duckherder {

//! What EXPLAIN shows in the gather of `root`: each stage below it with its operators, its split and its exchange.
duckdb::InsertionOrderPreservingMap<duckdb::string> ExplainStages(duckdb::ClientContext &context,
                                                                  const DistributedPlan &plan, StageId root);

//! What the finished tasks of each of these stages add up to, for EXPLAIN ANALYZE: tasks, workers, retries, rows,
//! bytes, what was spilled, time, and the slowest task; and what real sizes have decided.
duckdb::InsertionOrderPreservingMap<duckdb::string> ExplainTasks(const DistributedPlan &plan, StageId root,
                                                                 const std::vector<TaskHistory> &tasks,
                                                                 const std::vector<StageOutcome> &outcomes);

} // namespace duckherder
