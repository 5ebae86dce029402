#pragma once

#include "protocol/chunk_source.hpp"
#include "protocol/database_service.hpp"
#include "protocol/messages.hpp"
#include "transport/flight/flight_connections.hpp"

namespace duckherder {

//! Asks for an output of a worker at `location`, and does not wait for it. The source has one reader. Errors: those of
//! WorkerService::Fetch, with `peer` as the worker's name.
std::shared_ptr<ChunkSource> OpenRemoteOutput(const std::shared_ptr<FlightConnections> &connections,
                                              const std::string &location, const std::string &peer,
                                              const FetchRequest &request,
                                              const duckdb::vector<duckdb::LogicalType> &types);

//! Starts a statement at the driver at `location`. Its result is read ahead of what is used; it has several readers.
std::shared_ptr<ChunkSource> OpenRemoteResult(const std::shared_ptr<FlightConnections> &connections,
                                              const std::string &location, const std::string &peer,
                                              const SessionStatement &statement,
                                              const duckdb::vector<duckdb::LogicalType> &types);

} // namespace duckherder
