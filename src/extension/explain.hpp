#pragma once

#include "coordinator/stage_executions.hpp"
#include "extension/explain_facts.hpp"
#include "history/query_recorder.hpp"
#include "planner/interface/distributed_plan.hpp"

#include "duckdb.hpp"

#include <vector>

namespace duckherder {

//! What EXPLAIN shows of a distributed query before it runs. `session` is what the session's plan has become, before
//! DuckDB turns names into numbers. With `count_tasks` the scans are cut as if the query started.
QueryFacts FactsOf(duckdb::ClientContext &context, const DistributedPlan &plan, duckdb::LogicalOperator &session,
                   bool count_tasks);

//! Of a query that stays in the session.
QueryFacts LocalFacts(const duckdb::string &reason);

//! Adds what one execution took, which is over: its tasks, what became of its stages, and the time of the statement.
void AddRun(QueryFacts &facts, const std::vector<TaskHistory> &tasks, const std::vector<StageOutcome> &outcomes,
            uint64_t wall_us);

//! What the gather of `root` shows in DuckDB's own boxes: the rest is too wide for them.
duckdb::InsertionOrderPreservingMap<duckdb::string> SummarizeStages(const DistributedPlan &plan, StageId root);
duckdb::InsertionOrderPreservingMap<duckdb::string> SummarizeTasks(const std::vector<TaskHistory> &tasks);

} // namespace duckherder
