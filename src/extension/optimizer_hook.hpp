#pragma once

#include "extension/session_state.hpp"

namespace duckherder {

//! Lets every query of the database pass through the planner, before and after DuckDB's optimizer.
void RegisterOptimizerHook(duckdb::DBConfig &config, std::shared_ptr<DatabaseState> database);

//! The state that the hook of the connection's database has been given: for what DuckDB calls with no state of ours.
std::shared_ptr<DatabaseState> DatabaseStateOf(duckdb::ClientContext &context);

} // namespace duckherder
