#pragma once

#include "duckdb.hpp"

#include <string>
#include <vector>

namespace duckherder {

struct LockDownOptions {
	//! What statements of clients may read and write beside the databases that are attached: directories (with all that
	//! is below), files, and URLs as prefixes
	std::vector<std::string> allowed_paths;
	//! Files that none of them may reach: tokens, keys, the history of queries. Empty ones are skipped.
	std::vector<std::string> secret_files;
};

//! Locks a driver's DuckDB down by its own means before it serves clients with roles: from now on no SQL reaches files
//! or URLs beyond the attached databases, the data of attached lakes, duckherder_shared_paths, the temporary directory
//! and what is allowed, loads an extension, or changes the configuration beyond what statements of clients bring along
//! and how they are distributed. It cannot be undone. Throws InvalidInputException if a secret file would be within
//! reach, and what DuckDB throws.
void LockDown(duckdb::DatabaseInstance &database, const LockDownOptions &options);

} // namespace duckherder
