#pragma once

#include "duckdb.hpp"
#include "duckdb/main/extension/extension_loader.hpp"

namespace duckherder {

//! duckherder_query(database, sql): the rows of SQL text that an attached driver runs; duckherder_execute(database,
//! sql) runs it when nobody wants its rows.
void RegisterRemoteQueryFunctions(duckdb::ExtensionLoader &loader);

} // namespace duckherder
