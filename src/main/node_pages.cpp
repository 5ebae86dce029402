#include "main/node_pages.hpp"

#include "common/limits.hpp"
#include "common/log.hpp"
#include "transport/listen/listen_failure.hpp"

#include "duckdb/common/error_data.hpp"
#include "duckdb/common/exception.hpp"
#include "duckdb/common/string_util.hpp"

#include <cstring>
#include <optional>
#include <utility>

namespace duckherder {

namespace {

constexpr const char *DEFAULT_HTTP = "127.0.0.1:8816";

//! Where a node serves HTTP
struct PagesAddress {
	NodeAddress node;
	bool tls;
};

//! Of a flag. Without a scheme pages are served by TLS where tokens would cross a network, if the node has a
//! certificate: certificates have the name by which others reach the node, and seldom that of loopback.
PagesAddress PagesAddressOf(const CommandLine &flags, const FlagSpec &flag, const std::string &fallback,
                            const FlightNodeOptions &node) {
	auto text = flags.Get(flag.name, fallback);
	std::optional<bool> typed;
	for (auto &scheme : {std::pair("http://", false), std::pair("https://", true)}) {
		if (duckdb::StringUtil::StartsWith(text, scheme.first)) {
			typed = scheme.second;
			text = text.substr(strlen(scheme.first));
			break;
		}
	}
	PagesAddress address;
	try {
		address.node = ParseNodeAddress(text);
	} catch (std::exception &error) {
		throw UsageError("%s: %s", flag.name, duckdb::ErrorData(error).RawMessage());
	}
	auto has_certificate = !node.tls_certificate.empty();
	if (typed && *typed && !has_certificate) {
		throw UsageError("%s %s: TLS is served with --tls-cert and --tls-key", flag.name, flags.Get(flag.name));
	}
	address.tls = typed.value_or(has_certificate && !node.insecure && !IsLoopback(address.node.host));
	return address;
}

NodePages Serve(const PagesAddress &address, const FlightNodeOptions &node, std::vector<HttpRoute> routes) {
	HttpServerOptions options {address.node.host,
	                           address.node.port,
	                           KnownTokens(node.token, node.client_tokens),
	                           LoginPage(),
	                           node.insecure,
	                           address.tls ? node.tls_certificate : "",
	                           address.tls ? node.tls_key : ""};
	NodePages pages;
	pages.server = std::make_unique<HttpServer>(std::move(options), std::move(routes));
	pages.url = pages.server->Start();
	return pages;
}

} // namespace

const FlagSpec DRIVER_HTTP {"--http", "HOST:PORT|off",
                            "where the pages, the API and the metrics are; default 127.0.0.1:8816, or a free port "
                            "there if --listen takes one; by TLS beyond loopback, or with https:// before it"};
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
	auto address = PagesAddressOf(flags, DRIVER_HTTP, node.port == 0 ? "127.0.0.1:0" : DEFAULT_HTTP, node);
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
	return Serve(PagesAddressOf(flags, WORKER_HTTP, "", node), node, WorkerRoutes(std::move(info)));
}

} // namespace duckherder
