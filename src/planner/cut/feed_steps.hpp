#pragma once

#include "planner/interface/distributed_plan.hpp"

namespace duckherder {

//! Moves filters, and projections that make rows narrower, from above a scan that the session feeds into that feed:
//! what they take out then travels to no worker. It needs stages that no other pass looks into any more. The root of a
//! fragment stays if it is a projection, because what its keys are may change when the query runs.
void MoveStepsIntoFeeds(duckdb::vector<StagePlan> &stages);

} // namespace duckherder
