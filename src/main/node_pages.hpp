#pragma once

#include "main/command_line.hpp"
#include "transport/http/http_server.hpp"
#include "transport/node/flight_node.hpp"
#include "web/api.hpp"

#include <functional>
#include <memory>
#include <string>

namespace duckherder {

//! The flags --http and --min-ready-workers of a driver, and --http of a worker
extern const FlagSpec DRIVER_HTTP;
extern const FlagSpec MIN_READY_WORKERS;
extern const FlagSpec WORKER_HTTP;

//! A node's HTTP server and its URL
struct NodePages {
	//! Null: it has none
	std::unique_ptr<HttpServer> server;
	std::string url;
};

//! Serves the pages, the API and the metrics of a driver, unless it shall have none. Tokens are those of `node`. Throws
//! what HttpServer::Start throws, unless nobody has asked for pages: then the log says so.
NodePages ServeDriver(const CommandLine &flags, const FlightNodeOptions &node, DatabaseState &state,
                      std::shared_ptr<DatabaseService> database);
//! Serves health and metrics of a worker, if it is asked for.
NodePages ServeWorker(const CommandLine &flags, const FlightNodeOptions &node, std::function<WorkerInfo()> info);

} // namespace duckherder
