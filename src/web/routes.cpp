#include "web/api.hpp"

#include "common/limits.hpp"
#include "web/assets.hpp"
#include "web/cluster_json.hpp"
#include "web/metrics.hpp"
#include "web/query_json.hpp"
#include "web/sql_json.hpp"
#include "wire/json.hpp"

#include "duckdb/common/exception.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

namespace duckherder {

namespace {

constexpr const char *METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

//! What the handlers share
struct Web {
	DatabaseState *state;
	WebNode node;
	NodeFacts facts;

	DatabaseState &State() const {
		return *state;
	}
};

using SharedWeb = std::shared_ptr<const Web>;

HttpResponse Json(std::string text) {
	HttpResponse response;
	response.body = std::move(text);
	return response;
}

HttpResponse Plain(int status, const std::string &text) {
	HttpResponse response;
	response.status = status;
	response.content_type = "text/plain; charset=utf-8";
	response.body = text + "\n";
	return response;
}

std::string TypeOf(const std::string &name) {
	auto ending = name.substr(name.rfind('.') + 1);
	return ending == "html"   ? "text/html; charset=utf-8"
	       : ending == "js"   ? "text/javascript; charset=utf-8"
	       : ending == "css"  ? "text/css; charset=utf-8"
	       : ending == "svg"  ? "image/svg+xml"
	       : ending == "json" ? "application/json"
	                          : "application/octet-stream";
}

HttpResponse Asset(const std::string &name) {
	auto &files = Assets();
	auto file = files.find(name);
	if (file == files.end()) {
		return HttpResponse::Error(404, "There is no file '" + name + "' here");
	}
	HttpResponse response;
	response.content_type = TypeOf(name);
	response.body = file->second;
	return response;
}

//! A whole number in a parameter; InvalidInputException names it if it is none
uint64_t NumberOf(const HttpRequest &request, const char *name, uint64_t fallback, uint64_t maximum) {
	auto text = request.Parameter(name);
	if (text.empty()) {
		return fallback;
	}
	constexpr size_t DIGITS_MAX = 18;
	if (text.size() > DIGITS_MAX || text.find_first_not_of("0123456789") != std::string::npos) {
		throw duckdb::InvalidInputException("The parameter '%s' is a whole number, not '%s'", name, text);
	}
	return std::min<uint64_t>(std::stoull(text), maximum);
}

QueryFilter FilterOf(const HttpRequest &request) {
	QueryFilter filter;
	filter.state = request.Parameter("state");
	filter.mode = request.Parameter("mode");
	filter.search = request.Parameter("search");
	if (!request.Parameter("sort").empty()) {
		filter.sort = request.Parameter("sort");
	}
	filter.ascending = request.Parameter("order") == "asc";
	filter.offset = NumberOf(request, "offset", 0, limits::HISTORY_QUERIES_MAX);
	filter.limit = NumberOf(request, "limit", filter.limit, limits::HTTP_LIST_MAX);
	return filter;
}

HttpResponse Query(const Web &web, const HttpRequest &request) {
	auto id = request.Parameter("id");
	auto query = web.State().services.recorder->Find(id);
	return query ? Json(QueryJson(*query, request.role))
	             : HttpResponse::Error(404, "There is no query '" + id + "', or it is so old that it is forgotten");
}

HttpResponse Kill(const Web &web, const HttpRequest &request) {
	auto id = request.Parameter("id");
	if (!web.State().Kill(id)) {
		return HttpResponse::Error(404, "No distributed query '" + id + "' runs here");
	}
	return Json("{\"killed\": true}\n");
}

HttpResponse ChangeWorker(const Web &web, const HttpRequest &request, void (DatabaseState::*change)(const WorkerId &)) {
	auto id = request.Parameter("id");
	auto workers = web.State().ListWorkers();
	if (std::none_of(workers.begin(), workers.end(), [&](auto &worker) { return worker.address.id == id; })) {
		return HttpResponse::Error(404, "There is no worker '" + id + "'");
	}
	(web.State().*change)(id);
	return Json("{\"done\": true}\n");
}

HttpResponse Sql(const Web &web, const HttpRequest &request) {
	if (!web.node.database) {
		return HttpResponse::Error(404, "Statements are run by a driver; this is the page of a session");
	}
	auto limit = NumberOf(request, "limit", 1000, limits::HTTP_LIST_MAX);
	return Json(SqlJson(*web.node.database, request.body, request.role, limit, request.gone));
}

HttpResponse Ready(const Web &web) {
	auto workers = WorkerTotals(web.State().KnownWorkers()).active;
	if (workers >= web.node.ready_workers) {
		return Plain(200, "ready: " + std::to_string(workers) + " workers");
	}
	return Plain(503, "not ready: " + std::to_string(workers) + " of " + std::to_string(web.node.ready_workers) +
	                      " workers");
}

HttpResponse Events(const SharedWeb &web, Role role) {
	HttpResponse response;
	response.content_type = "text/event-stream";
	auto first = std::make_shared<bool>(true);
	response.stream = [web, role, first](std::string &piece) {
		if (!*first) {
			std::this_thread::sleep_for(std::chrono::milliseconds(limits::HTTP_EVENT_INTERVAL_MS));
		}
		*first = false;
		// a browser that has lost the connection comes back soon
		piece = "retry: 1000\nevent: cluster\ndata: " + ClusterJson(web->State(), web->facts, role) + "\n";
		return true;
	};
	return response;
}

} // namespace

std::string LoginPage() {
	auto &files = Assets();
	auto page = files.find("login.html");
	return page == files.end() ? std::string() : std::string(page->second);
}

std::vector<HttpRoute> WebRoutes(DatabaseState &state, WebNode node) {
	auto web = std::make_shared<Web>();
	web->state = &state;
	web->facts.kind = node.kind;
	web->facts.started_us = NowUs();
	web->node = std::move(node);
	SharedWeb shared = web;
	return {
	    {"GET", "/healthz", std::nullopt, [](const HttpRequest &) { return Plain(200, "alive"); }},
	    {"GET", "/readyz", std::nullopt, [shared](const HttpRequest &) { return Ready(*shared); }},
	    {"GET", "/metrics", Role::READ,
	     [shared](const HttpRequest &) {
		     HttpResponse response;
		     response.content_type = METRICS_TYPE;
		     response.body = DriverMetrics(shared->State(), shared->facts);
		     return response;
	     }},
	    {"GET", "/", Role::READ, [](const HttpRequest &) { return Asset("index.html"); }},
	    {"GET", "/assets/:name", Role::READ,
	     [](const HttpRequest &request) { return Asset(request.Parameter("name")); }},
	    {"GET", "/api/v1/cluster", Role::READ,
	     [shared](const HttpRequest &request) {
		     return Json(ClusterJson(shared->State(), shared->facts, request.role));
	     }},
	    {"GET", "/api/v1/workers", Role::READ,
	     [shared](const HttpRequest &) { return Json(WorkersJson(shared->State())); }},
	    {"GET", "/api/v1/queries", Role::READ,
	     [shared](const HttpRequest &request) {
		     return Json(QueriesJson(*shared->State().services.recorder, FilterOf(request), request.role));
	     }},
	    {"GET", "/api/v1/queries/:id", Role::READ,
	     [shared](const HttpRequest &request) { return Query(*shared, request); }},
	    {"POST", "/api/v1/queries/:id/kill", Role::ADMIN,
	     [shared](const HttpRequest &request) { return Kill(*shared, request); }},
	    {"POST", "/api/v1/workers/:id/drain", Role::ADMIN,
	     [shared](const HttpRequest &request) { return ChangeWorker(*shared, request, &DatabaseState::DrainWorker); }},
	    {"POST", "/api/v1/workers/:id/forget", Role::ADMIN,
	     [shared](const HttpRequest &request) { return ChangeWorker(*shared, request, &DatabaseState::ForgetWorker); }},
	    {"GET", "/api/v1/openapi.json", Role::READ, [](const HttpRequest &) { return Asset("openapi.json"); }},
	    {"GET", "/api/v1/sessions", Role::ADMIN,
	     [shared](const HttpRequest &) { return Json(SessionsJson(shared->State())); }},
	    {"POST", "/api/v1/sql", Role::READ, [shared](const HttpRequest &request) { return Sql(*shared, request); }},
	    {"GET", "/api/v1/events", Role::READ,
	     [shared](const HttpRequest &request) { return Events(shared, request.role); }},
	};
}

std::vector<HttpRoute> WorkerRoutes(std::function<WorkerInfo()> info) {
	NodeFacts facts {"worker", NowUs()};
	return {{"GET", "/healthz", std::nullopt, [](const HttpRequest &) { return Plain(200, "alive"); }},
	        {"GET", "/readyz", std::nullopt,
	         [info](const HttpRequest &) {
		         auto state = info().state;
		         return state == WorkerState::ACTIVE
		                    ? Plain(200, "ready")
		                    : Plain(503, std::string("not ready: the worker is ") + WorkerStateName(state));
	         }},
	        {"GET", "/metrics", Role::READ, [info, facts](const HttpRequest &) {
		         HttpResponse response;
		         response.content_type = METRICS_TYPE;
		         response.body = WorkerMetrics(info(), facts);
		         return response;
	         }}};
}

} // namespace duckherder
