#pragma once

#include "planner/interface/distributed_plan.hpp"

#include <map>

namespace duckherder {

//! Both passes look at stages that feed the left side of a shuffled join, from whose right side DuckDB would learn that
//! it does not need them. `skippable` leads from such a stage to the one of the right side.

//! Lets a stage whose join keys could fail wait for the right side, as DuckDB computes the keys of the left side only
//! if there is a right side: without that, queries fail that do not fail in DuckDB. It needs stages that do not wait
//! for key filters yet, because those must not make the right side wait for the left one.
void HoldBackFailingKeys(const std::map<StageId, StageId> &skippable, duckdb::vector<StagePlan> &stages);

//! Lets a stage that waits for the right side, for whatever reason, do nothing if that is empty. It needs the stages
//! with all that they wait for, other than for an adaptive join.
void SkipIfEmptyInput(const std::map<StageId, StageId> &skippable, duckdb::vector<StagePlan> &stages);

} // namespace duckherder
