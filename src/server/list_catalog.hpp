#pragma once

#include "protocol/database_service.hpp"

#include "duckdb.hpp"

namespace duckherder {

//! All definitions of a database that its users made, as the context's transaction sees them. A transaction must be
//! active.
CatalogListing ListCatalog(duckdb::ClientContext &context, const std::string &database, bool knows,
                           uint64_t known_version);

//! Of its tables. A transaction must be active.
std::vector<TableEstimate> EstimateRows(duckdb::ClientContext &context, const std::string &database);

} // namespace duckherder
