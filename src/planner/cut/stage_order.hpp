#pragma once

#include "planner/interface/distributed_plan.hpp"

namespace duckherder {

//! Whether a stage runs only after another (or is it).
bool WaitsFor(const duckdb::vector<StagePlan> &stages, StageId stage, StageId other);

//! Lets a stage wait for another one that it does not read. The other one does not wait for this one.
void WaitFor(StagePlan &stage, StageId other);

} // namespace duckherder
