#pragma once

#include "planner/interface/distributed_plan.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/binder.hpp"

namespace duckherder {

//! Whether the statement scans anything that could be distributed in principle; others are none of our business.
bool ReadsData(duckdb::ClientContext &context, duckdb::LogicalOperator &plan);

//! Before DuckDB's optimizer: why the plan is not worth distributing, whatever the workers are; empty if it may be.
duckdb::string WhyNotCandidate(duckdb::ClientContext &context, duckdb::LogicalOperator &plan,
                               const PlannerOptions &options);

//! Keeps DuckDB's optimizer from rewrites that only make sense on one node. Late materialization fetches rows by rowid
//! from a scan that will be elsewhere; pruning row groups for top-N would be done per task with numbers of the whole;
//! COUNT(*) and MIN/MAX from metadata would leave nothing to distribute. The last one stays if costs decide
//! (`options.machines`): no worker is as fast.
//! Touches only this plan's copies of the table functions.
void PrepareForDistribution(duckdb::LogicalOperator &plan, const PlannerOptions &options);

//! After DuckDB's optimizer: moves what can be distributed out of `plan` into stages. `plan` keeps reading their
//! results through LogicalExchangeScan. If nothing can be distributed, `plan` is unchanged and the reason says why.
//! It runs a list of passes, of which `options` may leave out some, and notes how long each took.
DistributedPlan PlanDistributed(duckdb::ClientContext &context, duckdb::Binder &binder,
                                duckdb::unique_ptr<duckdb::LogicalOperator> &plan, const PlannerOptions &options);

//! The names of the passes without which plans are right as well.
duckdb::vector<duckdb::string> OptionalPasses();

} // namespace duckherder
