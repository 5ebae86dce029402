#pragma once

#include "extension/session_state.hpp"

namespace duckherder {

//! duckherder_start_local_server and the other functions that do something; for LOAD.
void RegisterControlFunctions(duckdb::ExtensionLoader &loader, const std::shared_ptr<DatabaseState> &database);

//! duckherder_tasks() and the other table functions that show something.
void RegisterViewFunctions(duckdb::ExtensionLoader &loader, const std::shared_ptr<DatabaseState> &database);

//! duckherder_start_ui(port := 0) and duckherder_stop_ui(), which are called by CALL.
void RegisterPageFunctions(duckdb::ExtensionLoader &loader, const std::shared_ptr<DatabaseState> &database);

//! duckherder_serve_driver(…), duckherder_serve_worker(…) and duckherder_stop_serving(), which are called by CALL.
void RegisterServeFunctions(duckdb::ExtensionLoader &loader, const std::shared_ptr<DatabaseState> &database);

} // namespace duckherder
