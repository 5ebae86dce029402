#pragma once

#include "driver/query_coordinator.hpp"
#include "planner/planner_options.hpp"

#include "duckdb.hpp"

namespace duckherder {

class DatabaseState;

enum class DistributionMode { AUTO, ALWAYS, NEVER };

//! Adds the duckherder_* settings to a database; bad values are refused when they are set.
void RegisterSettings(duckdb::DBConfig &config);

DistributionMode ModeOf(duckdb::ClientContext &context);
bool RequiresDistributed(duckdb::ClientContext &context);
PlannerOptions PlannerOptionsOf(duckdb::ClientContext &context, uint32_t workers);
CoordinatorOptions CoordinatorOptionsOf(duckdb::ClientContext &context, DatabaseState &database);

} // namespace duckherder
