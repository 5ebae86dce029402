#pragma once

#include "duckdb.hpp"
#include "duckdb/main/extension/extension_loader.hpp"

namespace duckherder {

//! PRAGMA duckherder_register_remote_table(name, remote_name) gives a table of an attached driver a name of its own in
//! the session, until PRAGMA duckherder_unregister_remote_table(name). The driver is that of the default database, or
//! the only attached one. Nothing to do if the driver's database is the default one and the names are the same.
void RegisterRemoteTablePragmas(duckdb::ExtensionLoader &loader);

} // namespace duckherder
