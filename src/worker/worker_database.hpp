#pragma once

#include "duckdb.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace duckherder {

struct WorkerDatabaseOptions {
	//! 0: as many as the machine has
	uint32_t threads = 0;
	//! As DuckDB's memory_limit, e.g. "4GB"; empty: DuckDB's default, 80 % of the machine
	std::string memory_limit;
	//! The worker makes a subdirectory of its own here and removes it at the end; empty: the system's directory
	std::string temp_directory;
	//! As DuckDB writes sizes; empty: 90 % of what is free on that disk
	std::string temp_limit;
	//! Of the memory that DuckDB takes beside its buffers; not set, or null: DuckDB's own
	std::function<duckdb::unique_ptr<duckdb::Allocator>()> make_allocator;
	//! Further functions that fragments call, registered before anything runs
	std::vector<std::function<void(duckdb::DatabaseInstance &)>> register_functions;
};

//! The DuckDB of a worker: in memory, with the exchange scan. Made once per worker; thread-safe as DuckDB is.
//! Whoever still holds Database() keeps it and its temporary directory alive.
//! Throws what DuckDB throws for bad options.
std::shared_ptr<duckdb::DuckDB> OpenWorkerDatabase(const WorkerDatabaseOptions &options);

} // namespace duckherder
