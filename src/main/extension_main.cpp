#define DUCKDB_EXTENSION_MAIN

#include "common/log.hpp"
#include "extension/load.hpp"
#include "main/process_nodes.hpp"

#include "duckdb/main/extension/extension_loader.hpp"

#include <mutex>

extern "C" {

DUCKDB_CPP_EXTENSION_ENTRY(duckherder, loader) {
	// the standard error of the process that loads us is not ours; the parameters of a node may ask for lines
	static std::once_flag silenced;
	std::call_once(silenced, [] { duckherder::Log::OfProcess().SetSilent(true); });
	duckherder::LoadIntoDatabase(loader, std::make_shared<duckherder::ProcessNodes>());
}
}
