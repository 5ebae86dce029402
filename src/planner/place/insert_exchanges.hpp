#pragma once

#include "planner/interface/distributed_plan.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/binder.hpp"

namespace duckherder {

//! Decides for every operator whether it runs on the workers or in the session, splits aggregates, top-N and limits in
//! a local and a final part, chooses how joins get their rows together, and puts a LogicalExchange wherever rows have
//! to move. The plan stays runnable on one node. Fills reason, fully_distributed and merge_strategy of `result`.
void InsertExchanges(duckdb::ClientContext &context, duckdb::Binder &binder,
                     duckdb::unique_ptr<duckdb::LogicalOperator> &plan, DistributedPlan &result);

} // namespace duckherder
