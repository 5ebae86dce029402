#pragma once

#include "protocol/messages.hpp"

#include "duckdb.hpp"

#include <vector>

namespace duckherder {

//! The extensions that were loaded into this DuckDB, by name. Not those that it is built with, whose version is its
//! own, and not Duckherder.
std::vector<ExtensionVersion> LoadedExtensions(duckdb::DatabaseInstance &db);

//! What an extension has put into a plan means the same on a worker only if it has the same version there. Throws
//! InvalidInputException if both have one loaded in different versions.
void CheckExtensions(const std::vector<ExtensionVersion> &session, const WorkerInfo &worker);

} // namespace duckherder
