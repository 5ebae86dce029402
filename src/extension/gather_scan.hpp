#pragma once

#include "extension/session_state.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/operator/logical_extension_operator.hpp"

#include <optional>

namespace duckherder {

//! Replaces every LogicalExchangeScan that the planner left in the session's plan by an operator that runs the stages
//! of `distributed` and reads their results.
void AttachGathers(duckdb::unique_ptr<duckdb::LogicalOperator> &plan,
                   const std::shared_ptr<DistributedPlan> &distributed, const std::shared_ptr<DatabaseState> &database);

//! The stage whose rows it reads, if the operator is one of those.
std::optional<StageId> GatheredStage(const duckdb::LogicalOperator &op);

} // namespace duckherder
