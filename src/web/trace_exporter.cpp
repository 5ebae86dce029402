#include "web/trace_exporter.hpp"

#include "common/process_name.hpp"
#include "history/ended_queries.hpp"
#include "web/otlp.hpp"

#include "duckdb/common/exception.hpp"

#include <chrono>
#include <httplib.hpp>

namespace duckherder {

namespace {

constexpr std::chrono::milliseconds SEND_INTERVAL(1000);
constexpr time_t SEND_TIMEOUT_SECONDS = 5;
constexpr const char *SCHEME = "http://";
constexpr const char *TRACES_PATH = "/v1/traces";

} // namespace

TraceExporter::TraceExporter(std::shared_ptr<QueryRecorder> recorder_p, const std::string &endpoint,
                             std::function<void(const std::string &)> say_p)
    : recorder(std::move(recorder_p)), say(std::move(say_p)), node(ProcessName()) {
	auto scheme_length = std::string(SCHEME).size();
	auto slash = endpoint.find('/', scheme_length);
	origin = endpoint.substr(0, slash);
	path = slash == std::string::npos || slash + 1 == endpoint.size() ? TRACES_PATH : endpoint.substr(slash);
	if (endpoint.compare(0, scheme_length, SCHEME) != 0 || origin.size() <= scheme_length) {
		throw duckdb::InvalidInputException(
		    "'%s' is no endpoint for traces: it is http://HOST:PORT, to which %s is added, "
		    "or a whole URL. A collector that wants TLS needs one beside the driver",
		    endpoint, TRACES_PATH);
	}
	thread = std::thread([this] { Run(); });
}

TraceExporter::~TraceExporter() {
	{
		MutexLock guard(lock);
		stopping = true;
		wake.NotifyAll();
	}
	thread.join();
}

std::string TraceExporter::Send(const std::string &body) {
	duckdb_httplib::Client client(origin);
	client.set_connection_timeout(SEND_TIMEOUT_SECONDS);
	client.set_read_timeout(SEND_TIMEOUT_SECONDS);
	client.set_write_timeout(SEND_TIMEOUT_SECONDS);
	auto answer = client.Post(path, body, "application/json");
	if (!answer) {
		return duckdb_httplib::to_string(answer.error());
	}
	return answer->status / 100 == 2 ? std::string() : "it answers " + std::to_string(answer->status);
}

void TraceExporter::Run() {
	EndedQueries ended;
	// those that are there already are another driver's, or somebody else's
	ended.Look(*recorder, [](const QueryRecord &) {});
	auto last = false;
	while (!last) {
		{
			MutexLock guard(lock);
			wake.WaitFor(guard, SEND_INTERVAL, [&]() REQUIRES(lock) { return stopping; });
			last = stopping;
		}
		std::vector<QueryRecord> queries;
		ended.Look(*recorder, [&](const QueryRecord &query) {
			// sessions that send traces themselves tell more
			if (!query.report || !query.report->traced) {
				queries.push_back(query);
			}
		});
		if (queries.empty()) {
			continue;
		}
		auto problem = Send(OtlpJson(queries, node));
		if (problem.empty() != works) {
			works = problem.empty();
			say(works ? "traces reach the collector at " + origin + " again"
			          : "traces cannot be sent to the collector at " + origin + ": " + problem);
		}
	}
}

} // namespace duckherder
