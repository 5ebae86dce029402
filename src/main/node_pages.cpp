#include "main/node_pages.hpp"

#include "common/limits.hpp"
#include "common/log.hpp"

#include "duckdb/common/error_data.hpp"
#include "duckdb/common/exception.hpp"

namespace duckherder {

namespace {

constexpr const char *DEFAULT_HTTP = "127.0.0.1:8816";

NodePages Serve(const NodeAddress &address, const FlightNodeOptions &node, std::vector<HttpRoute> routes) {
	HttpServerOptions options {address.host, address.port, KnownTokens(node.token, node.client_tokens), LoginPage(),
	                           node.insecure};
	NodePages pages;
	pages.server = std::make_unique<HttpServer>(std::move(options), std::move(routes));
	pages.url = pages.server->Start();
	return pages;
}

} // namespace

const FlagSpec DRIVER_HTTP {"--http", "HOST:PORT|off",
                            "where the pages, the API and the metrics are; default 127.0.0.1:8816, or a free port "
                            "there if --listen takes one"};
const FlagSpec MIN_READY_WORKERS {"--min-ready-workers", "N",
                                  "fewer make GET /readyz say that the driver is not ready; default 0"};
const FlagSpec WORKER_HTTP {"--http", "HOST:PORT", "where health and metrics are; default nowhere"};

NodePages ServeDriver(const CommandLine &flags, const FlightNodeOptions &node, DatabaseState &state,
                      std::shared_ptr<DatabaseService> database) {
	auto ready_workers = flags.GetNumber(MIN_READY_WORKERS.name, 0, 0, limits::WORKERS_MAX);
	if (flags.Get(DRIVER_HTTP.name) == "off") {
		return NodePages();
	}
	// two drivers on one machine that take free ports shall not fight about this one
	auto address = flags.GetAddress(DRIVER_HTTP.name, node.port == 0 ? "127.0.0.1:0" : DEFAULT_HTTP);
	WebNode web;
	web.kind = "driver";
	web.database = std::move(database);
	web.ready_workers = static_cast<uint32_t>(ready_workers);
	try {
		return Serve(address, node, WebRoutes(state, std::move(web)));
	} catch (duckdb::IOException &error) {
		if (flags.Has(DRIVER_HTTP.name)) {
			throw;
		}
		// another driver on this machine has them at the usual place
		Log::OfProcess().Write(LogLevel::WARNING, "no_pages",
		                       duckdb::ErrorData(error).RawMessage() +
		                           "\nThis driver has no pages: --http HOST:PORT places them");
		return NodePages();
	}
}

NodePages ServeWorker(const CommandLine &flags, const FlightNodeOptions &node, std::function<WorkerInfo()> info) {
	if (!flags.Has(WORKER_HTTP.name) || flags.Get(WORKER_HTTP.name) == "off") {
		return NodePages();
	}
	return Serve(flags.GetAddress(WORKER_HTTP.name, ""), node, WorkerRoutes(std::move(info)));
}

} // namespace duckherder
