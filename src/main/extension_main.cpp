#define DUCKDB_EXTENSION_MAIN

#include "extension/load.hpp"
#include "extension/settings.hpp"
#include "main/process_nodes.hpp"
#include "protocol/node_address.hpp"

#include "duckdb/main/extension/extension_loader.hpp"

#include <cstdlib>

namespace {

//! For clients that can load an extension, and nothing more
void UseDriverOfEnvironment(duckdb::ExtensionLoader &loader, duckherder::DatabaseState &database) {
	auto variable = std::getenv("DUCKHERDER_DRIVER");
	if (variable && *variable) {
		database.BorrowLater(duckherder::ParseNodeAddress(variable));
		duckherder::NoteDriver(loader.GetDatabaseInstance().config, variable);
	}
}

} // namespace

extern "C" {

DUCKDB_CPP_EXTENSION_ENTRY(duckherder, loader) {
	auto database = duckherder::LoadIntoDatabase(loader, std::make_shared<duckherder::ProcessNodes>());
	UseDriverOfEnvironment(loader, *database);
}
}
