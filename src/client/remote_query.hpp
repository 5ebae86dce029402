#pragma once

#include "duckdb.hpp"
#include "duckdb/main/extension/extension_loader.hpp"

namespace duckherder {

//! duckherder_query(database, sql): the rows of SQL text that an attached driver runs; duckherder_execute(database,
//! sql) runs it when nobody wants its rows.
void RegisterRemoteQueryFunctions(duckdb::ExtensionLoader &loader);

//! Throws BinderException, or what the catalog says, if there is no attached database of a driver by that name
void CheckDriverDatabase(duckdb::ClientContext &context, const duckdb::string &database);

//! All rows of an SQL text that the driver of the attached database runs; they are expected to be of these types. It
//! runs in a session and a transaction of its own: whatever is open between the two already, and without a trace in it.
duckdb::unique_ptr<duckdb::ColumnDataCollection> FetchFromDriver(duckdb::ClientContext &context,
                                                                 const duckdb::string &database,
                                                                 const duckdb::string &sql,
                                                                 const duckdb::vector<duckdb::LogicalType> &types);

} // namespace duckherder
