#pragma once

#include "planner/interface/distributed_plan.hpp"
#include "planner/place/insert_exchanges.hpp"

namespace duckherder {

//! Leaves those joins open that can still be a shuffle or a broadcast, until the real size of the build side is known:
//! the stage of the probe side waits for that of the build side. It needs stages that are connected with their inputs
//! and with the sources of their key filters, because a stage whose keys are collected has to run as it is.
void LeaveJoinsOpen(const std::map<StageId, AdaptiveCandidate> &candidates, duckdb::vector<StagePlan> &stages);

} // namespace duckherder
