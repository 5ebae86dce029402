#pragma once

#include "extension/session_state.hpp"
#include "main/node_options.hpp"

#include "duckdb.hpp"

#include <memory>
#include <string>

namespace duckherder {

//! SQL text of a file, run once: ATTACH, CREATE SECRET, LOAD, ... Nothing for an empty path. Throws IOException if the
//! file cannot be read, and what one of its statements throws.
void RunInitFile(duckdb::DuckDB &database, const std::string &path);

//! The name of the lake in a driver that has one
constexpr const char *LAKE_NAME = "lake";

//! Attaches the lake ("ducklake:…") as LAKE_NAME. Its tables' rows are all in files, none in its catalog, since only
//! files are read by workers. Throws what ATTACH throws.
void AttachLake(duckdb::DuckDB &database, const std::string &lake, const std::string &data_path);

struct DriverDatabaseOptions {
	//! Empty: in memory
	std::string file;
	//! Where the history of queries is kept; empty: in memory only
	std::string history;
	NodeResources resources;
};

struct DriverDatabase {
	std::shared_ptr<duckdb::DuckDB> database;
	std::shared_ptr<DatabaseState> state;
};

//! The database of a driver process, with the extension in it: its queries run on the workers of `state`'s cluster.
//! Throws what DuckDB throws for bad options or a file that it cannot open, and what HistoryFile throws. What is wrong
//! with the history later is written to stderr.
DriverDatabase OpenDriverDatabase(const DriverDatabaseOptions &options, std::shared_ptr<LocalNodes> nodes);

} // namespace duckherder
