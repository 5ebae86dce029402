#pragma once

#include "extension/explain_facts.hpp"
#include "extension/session_state.hpp"

#include "duckdb.hpp"

namespace duckherder {

//! Lets EXPLAIN, which is the root of `plan`, give one more row, "distributed_plan", before the one with DuckDB's own
//! plan: as text, or as JSON if that was asked for. EXPLAIN in another format stays as it is. EXPLAIN ANALYZE makes the
//! row when the query has run. `distributed` is null if the query stays in the session.
void AddExplainRow(duckdb::unique_ptr<duckdb::LogicalOperator> &plan, QueryFacts facts,
                   const std::shared_ptr<DistributedPlan> &distributed, const std::shared_ptr<DatabaseState> &database);

} // namespace duckherder
