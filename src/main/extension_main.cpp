#define DUCKDB_EXTENSION_MAIN

#include "extension/load.hpp"
#include "main/process_nodes.hpp"

#include "duckdb/main/extension/extension_loader.hpp"

extern "C" {

DUCKDB_CPP_EXTENSION_ENTRY(duckherder, loader) {
	duckherder::LoadIntoDatabase(loader, std::make_shared<duckherder::ProcessNodes>());
}
}
