#pragma once

#include "extension/local_nodes.hpp"
#include "extension/session_state.hpp"

#include "duckdb.hpp"

namespace duckherder {

//! Gives a database everything that SQL sees of Duckherder: settings, functions, attached
//! drivers and the optimizer hook.
std::shared_ptr<DatabaseState> LoadIntoDatabase(duckdb::ExtensionLoader &loader, std::shared_ptr<LocalNodes> nodes);

} // namespace duckherder
