#include "main/node_log.hpp"

#include "common/limits.hpp"
#include "common/log.hpp"

#include "duckdb/common/exception.hpp"
#include "duckdb/common/string_util.hpp"

namespace duckherder {

const FlagSpec LOG_FORMAT {"--log-format", "text|json",
                           "of the lines on standard error or in --log-file; default text"};
const FlagSpec LOG_FILE {"--log-file", "F", "write the log there; SIGHUP opens it anew. Default standard error"};
const FlagSpec LOG_SLOW_QUERIES {"--log-slow-queries", "SECONDS",
                                 "log queries that take at least so long; default only those that fail"};

void SetUpLog(const CommandLine &flags) {
	auto format = flags.Get(LOG_FORMAT.name, "text");
	if (format != "text" && format != "json") {
		throw UsageError("%s is '%s', it can be text or json", LOG_FORMAT.name, format);
	}
	Log::OfProcess().SetFormat(format == "json" ? LogFormat::JSON : LogFormat::TEXT);
	if (flags.Has(LOG_FILE.name)) {
		auto problem = Log::OfProcess().Open(flags.Get(LOG_FILE.name));
		if (!problem.empty()) {
			throw duckdb::IOException("The log file '%s' cannot be written: %s", flags.Get(LOG_FILE.name), problem);
		}
	}
}

ClusterLog::ClusterLog(DatabaseState &state_p, uint64_t slow_us_p) : state(state_p), slow_us(slow_us_p) {
}

void ClusterLog::Look() {
	LookAtWorkers();
	LookAtQueries();
}

void ClusterLog::LookAtWorkers() {
	std::map<WorkerId, WorkerState> now;
	auto say = [](LogLevel level, const char *event, const WorkerId &id, const std::string &what,
	              const std::string &location = std::string()) {
		Log::OfProcess().Write(level, event, "worker " + id + what, {{"worker", id}, {"location", location}});
	};
	for (auto &worker : state.services.cluster->ListWorkers()) {
		auto &id = worker.address.id;
		now[id] = worker.state;
		auto before = workers.find(id);
		if (before == workers.end()) {
			say(LogLevel::INFO, "worker_joined", id, " at " + worker.address.location + " has joined",
			    worker.address.location);
		}
		auto was = before == workers.end() ? WorkerState::ACTIVE : before->second;
		if (worker.state == was) {
			continue;
		}
		switch (worker.state) {
		case WorkerState::ACTIVE:
			say(LogLevel::INFO, "worker_active", id, " takes tasks again");
			break;
		case WorkerState::DRAINING:
			say(LogLevel::INFO, "worker_draining", id, " drains");
			break;
		case WorkerState::LOST:
			say(LogLevel::WARNING, "worker_lost", id, " is lost: its heartbeats have stopped");
			break;
		case WorkerState::BROKEN:
			say(LogLevel::ERROR, "worker_broken", id, " is broken: its database is invalid");
			break;
		}
	}
	for (auto &before : workers) {
		if (now.count(before.first) == 0) {
			say(LogLevel::INFO, "worker_left", before.first, " has left");
		}
	}
	workers = std::move(now);
}

void ClusterLog::LookAtQueries() {
	queries.Look(*state.services.recorder, [&](const QueryRecord &query) {
		auto slow = slow_us > 0 && query.duration_us >= slow_us;
		if (query.state == "SUCCEEDED" && !slow) {
			return;
		}
		auto seconds = duckdb::StringUtil::Format("%.3f", static_cast<double>(query.duration_us) / 1e6);
		auto failed = query.state != "SUCCEEDED";
		// errors may quote statements: the pages show them to those who may see them
		Log::OfProcess().Write(failed ? LogLevel::WARNING : LogLevel::INFO, failed ? "query_failed" : "query_slow",
		                       "query " + query.query_id + ": " + query.state + " after " + seconds + " s, " +
		                           ExecutionModeName(query.mode),
		                       {{"query_id", query.query_id},
		                        {"state", query.state},
		                        {"seconds", seconds},
		                        {"mode", ExecutionModeName(query.mode)},
		                        {"session", query.report ? query.report->session : std::string()}});
	});
}

} // namespace duckherder
