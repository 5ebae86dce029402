#pragma once

#include "coordinator/query_coordinator.hpp"
#include "planner/interface/distributed_plan.hpp"
#include "planner/interface/planner_options.hpp"

#include "duckdb.hpp"

#include <string>
#include <vector>

namespace duckherder {

enum class DistributionMode { AUTO, ALWAYS, NEVER };

//! Adds the duckherder_* settings to a database; bad values are refused when they are set.
void RegisterSettings(duckdb::DBConfig &config);
//! duckherder_driver is from now on that address, as if it had been set: somebody has named the driver by other means.
void NoteDriver(duckdb::DBConfig &config, const std::string &address);

//! Those that say how statements are distributed: whatever a session sets them to, it can do no more by it
std::vector<std::string> DistributionSettingNames();
//! duckherder_shared_paths
std::vector<std::string> SharedPathsOf(duckdb::ClientContext &context);

DistributionMode ModeOf(duckdb::ClientContext &context);
//! Somebody has set duckherder_min_rows: from so many rows on, queries are to be distributed
bool MinRowsAreChosen(duckdb::ClientContext &context);
bool RequiresDistributed(duckdb::ClientContext &context);
//! As far as settings say; not how many workers there are
PlannerOptions PlannerOptionsOf(duckdb::ClientContext &context);
CoordinatorOptions CoordinatorOptionsOf(duckdb::ClientContext &context, const DistributedPlan &plan);

//! The trace context that the session's queries belong to; empty: none
duckdb::string TraceparentOf(duckdb::ClientContext &context);

} // namespace duckherder
