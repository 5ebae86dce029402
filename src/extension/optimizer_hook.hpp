#pragma once

#include "extension/session_state.hpp"

namespace duckherder {

//! Lets every query of the database pass through the planner, before and after DuckDB's optimizer.
void RegisterOptimizerHook(duckdb::DBConfig &config, std::shared_ptr<DatabaseState> database);

} // namespace duckherder
