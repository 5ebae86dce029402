#define DUCKDB_EXTENSION_MAIN

#include "common/log.hpp"
#include "extension/load.hpp"
#include "extension/settings.hpp"
#include "main/process_nodes.hpp"
#include "protocol/node_address.hpp"

#include "duckdb/main/extension/extension_loader.hpp"

#include <cstdlib>
#include <mutex>

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
	// the standard error of the process that loads us is not ours; the parameters of a node may ask for lines
	static std::once_flag silenced;
	std::call_once(silenced, [] { duckherder::Log::OfProcess().SetSilent(true); });
	auto database = duckherder::LoadIntoDatabase(loader, std::make_shared<duckherder::ProcessNodes>());
	UseDriverOfEnvironment(loader, *database);
}
}
