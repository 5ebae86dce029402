#pragma once

#include "planner/interface/distributed_plan.hpp"

namespace duckherder {

//! Cuts the plan at its exchanges: what is below one becomes a stage, and a LogicalExchangeScan stands in its place.
//! Scans that the driver feeds leave their fragment. `plan` keeps what runs in the session.
void CutStages(duckdb::unique_ptr<duckdb::LogicalOperator> &plan, DistributedPlan &result);

} // namespace duckherder
