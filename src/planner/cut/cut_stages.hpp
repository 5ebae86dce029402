#pragma once

#include "planner/interface/distributed_plan.hpp"

namespace duckherder {

//! Cuts the plan at its exchanges: what is below one becomes the stage with its number, and a LogicalExchangeScan
//! stands in its place. It needs exchanges that are numbered in the order of the cut. Scans that the session feeds
//! leave their fragment. The stages know what they read; `plan` keeps what runs in the session. Throws an internal
//! error if the numbers are others.
void CutStages(duckdb::unique_ptr<duckdb::LogicalOperator> &plan, duckdb::vector<StagePlan> &stages);

} // namespace duckherder
