#pragma once

#include "extension/session_state.hpp"
#include "transport/http/http_server.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace duckherder {

//! What serves the API and the pages
struct WebNode {
	//! "driver" or "session"
	std::string kind;
	//! Those that clients have at it, for the page's SQL box; null: it has none
	std::shared_ptr<DatabaseService> database;
	//! GET /readyz says that the node is not ready while fewer workers than this take tasks
	uint32_t ready_workers = 0;
};

//! The routes of /api/v1, /healthz, /readyz and /metrics, see docs/api.md, and those of the pages. `state` outlives the
//! server. Callers below ADMIN see no texts of statements, nor what could quote them.
std::vector<HttpRoute> WebRoutes(DatabaseState &state, WebNode node);

//! The routes of a worker: /healthz, /readyz (it takes tasks) and /metrics. `info` outlives the server; any thread
//! calls it.
std::vector<HttpRoute> WorkerRoutes(std::function<WorkerInfo()> info);

//! The page by which a browser logs in, see HttpServerOptions
std::string LoginPage();

} // namespace duckherder
