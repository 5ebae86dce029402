#pragma once

#include "extension/local_nodes.hpp"

#include "duckdb.hpp"

namespace duckherder {

//! Gives a database everything that SQL sees of Duckherder: settings, functions and the optimizer hook.
void LoadIntoDatabase(duckdb::ExtensionLoader &loader, std::shared_ptr<LocalNodes> nodes);

} // namespace duckherder
