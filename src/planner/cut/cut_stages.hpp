#pragma once

#include "planner/interface/distributed_plan.hpp"
#include "planner/place/aligned_scans.hpp"

namespace duckherder {

//! Cuts the plan at its exchanges: what is below one becomes the stage with its number, and a LogicalExchangeScan
//! stands in its place. It needs exchanges that are numbered in the order of the cut. Scans that the session feeds
//! leave their fragment. The stages know what they read; `plan` keeps what runs in the session. Throws an internal
//! error if the numbers are others.
//! `in_place`: how scans have to be cut; `clustered`: where they can be.
void CutStages(duckdb::unique_ptr<duckdb::LogicalOperator> &plan, const InPlaceScans &in_place,
               const ClusteredScans &clustered, duckdb::vector<StagePlan> &stages);

} // namespace duckherder
