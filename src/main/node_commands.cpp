#include "main/node_commands.hpp"

#include "common/limits.hpp"
#include "common/log.hpp"
#include "main/command_line.hpp"
#include "main/driver_database.hpp"
#include "main/driver_node.hpp"
#include "main/node_flags.hpp"
#include "main/node_log.hpp"
#include "main/node_options.hpp"
#include "main/process_memory.hpp"
#include "main/process_nodes.hpp"
#include "main/served_worker.hpp"
#include "transport/credentials/token.hpp"
#include "transport/flight/flight_connector.hpp"
#include "web/cluster_json.hpp"

#include "duckdb.hpp"
#include "duckdb/main/valid_checker.hpp"

#include <csignal>
#include <cstdlib>
#include <cstdio>
#include <ctime>
#include <iostream>

namespace duckherder {

using namespace node_flags;

namespace {

//! Those that are waited for, and interrupt nothing
sigset_t AwaitedSignals() {
	sigset_t signals;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	return signals;
}

//! True once a stop signal came, false after the time, or after a signal that the log's file shall be opened anew
bool StopRequested(uint64_t wait_ms) {
	auto signals = AwaitedSignals();
	timespec wait {static_cast<time_t>(wait_ms / 1000), static_cast<long>(wait_ms % 1000) * 1000000};
	auto signal = sigtimedwait(&signals, nullptr, &wait);
	if (signal == SIGHUP) {
		Log::OfProcess().Reopen();
		return false;
	}
	return signal > 0;
}

//! Waits for a signal, and does `regularly` every heartbeat interval. False if the database is invalid instead.
bool RunUntilStopped(duckdb::DatabaseInstance &db, const std::function<void()> &regularly) {
	SteadyClock clock;
	auto last = clock.NowMs();
	while (!StopRequested(limits::BROKEN_LOOK_INTERVAL_MS)) {
		if (duckdb::ValidChecker::IsInvalidated(db)) {
			return false;
		}
		if (clock.NowMs() - last >= limits::HEARTBEAT_INTERVAL_MS) {
			last = clock.NowMs();
			regularly();
		}
	}
	return true;
}

//! The end of a node whose database is invalid: nothing of it can be used any more, its orderly end neither.
[[noreturn]] void EndBroken(duckdb::DatabaseInstance &db, const char *node) {
	Log::OfProcess().Write(LogLevel::ERROR, "database_ended",
	                       "duckherder: the database ended after a fatal error: " +
	                           duckdb::ValidChecker::InvalidatedMessage(db) + "\nStart the " + node + " again");
	std::_Exit(EXIT_DATABASE_ENDED);
}

//! `what`: what is at the URL, which may be empty
void SayListening(const std::string &location, const char *what, const std::string &url) {
	std::cout << "listening on " << location << std::endl;
	if (!url.empty()) {
		std::cout << what << " at " << url << std::endl;
	}
}

//! What a driver does for its history when it ends at once
void KeepLastQueries(DatabaseState &state) {
	try {
		state.FlushHistory();
	} catch (std::exception &error) {
		Log::OfProcess().Write(LogLevel::ERROR, "history", duckdb::ErrorData(error).Message());
	}
}

} // namespace

void BlockStopSignals() {
	auto signals = AwaitedSignals();
	pthread_sigmask(SIG_BLOCK, &signals, nullptr);
	signal(SIGPIPE, SIG_IGN);
}

int RunDriver(const std::vector<std::string> &words) {
	auto specs = FlagsOf(NodeKind::DRIVER);
	CommandLine flags("driver", specs, words);
	if (WantsHelp(flags,
	              "duckherder driver: a database for clients to attach, whose queries run on the "
	              "workers that register here",
	              specs)) {
		return 0;
	}
	AllowDumps(flags.Has(CORE_DUMPS.name));
	SetUpLog(flags);
	DriverDatabaseOptions options;
	options.file = flags.Get(DATABASE.name);
	options.history = HistoryPath(flags);
	options.resources = ResourcesOf(flags, NodeHost::PROGRAM);
	auto driver = OpenDriverDatabase(options, std::make_shared<ProcessNodes>(NodeSettingsOf(flags)));
	RunInitFile(*driver.database, flags.Get(INIT.name));
	auto &instance = *driver.database->instance;
	DriverNode::Served served {instance, *driver.state, "", options.history};
	if (flags.Has(LAKE.name)) {
		AttachLake(*driver.database, flags.Get(LAKE.name), flags.Get(DATA_PATH.name));
		served.main_database = LAKE_NAME;
	} else if (flags.Has(DATA_PATH.name)) {
		throw UsageError("--data-path is where a lake has its files: it needs --lake");
	}
	DriverNode node(flags, served);
	node.Start();
	// statements are refused at the bound; none is chosen to be ended
	process_memory::Watch memory_watch([](const std::string &) {});
	SayListening(node.Location(), "pages", node.PagesUrl());
	if (!RunUntilStopped(instance, [&] { node.Look(); })) {
		KeepLastQueries(*driver.state);
		EndBroken(instance, "driver");
	}
	node.Stop();
	return 0;
}

int RunWorker(const std::vector<std::string> &words, const WrapWorker &wrap) {
	auto specs = FlagsOf(NodeKind::WORKER);
	CommandLine flags("worker", specs, words);
	if (WantsHelp(flags, "duckherder worker: runs tasks of queries", specs)) {
		return 0;
	}
	AllowDumps(flags.Has(CORE_DUMPS.name));
	SetUpLog(flags);
	ServedWorker worker(flags, NodeHost::PROGRAM, wrap);
	process_memory::Watch memory_watch([&worker](const std::string &error) { worker.RelieveMemory(error); });
	if (!worker.Register(StopRequested)) {
		return 0;
	}
	SayListening(worker.Location(), "metrics", worker.MetricsUrl());
	if (!worker.Run(StopRequested)) {
		worker.Unregister();
		// those that wait for a task are told what has happened
		worker.AwaitIdleTasks();
		EndBroken(worker.Database(), "worker");
	}
	worker.Drain(StopRequested);
	worker.Stop();
	return 0;
}

int RunStatus(const std::vector<std::string> &words) {
	std::vector<FlagSpec> specs = {
	    {"--json", "", "as one JSON object"}, DRIVER, TOKEN, TLS_CA, TLS_SHOWN_CERT, TLS_KEY, HELP};
	CommandLine flags("status", specs, words);
	if (WantsHelp(flags, "duckherder status: the workers of a driver and what they do", specs)) {
		return 0;
	}
	AllowDumps(false);
	auto location = DriverLocation(flags);
	FlightDriverClient driver(location, ClientSettingsOf(flags, LoadToken(TokenFileOf(flags))));
	auto workers = driver.ListWorkers();
	if (flags.Has("--json")) {
		std::cout << WorkerListJson(workers);
		return 0;
	}
	uint32_t running = 0;
	printf("%-20s %-32s %-9s %7s %12s %12s %7s %7s %13s\n", "ID", "LOCATION", "STATE", "THREADS", "MEMORY_MB",
	       "LIMIT_MB", "RUNNING", "QUERIES", "HEARTBEAT_MS");
	for (auto &worker : workers) {
		running += worker.running_tasks;
		printf("%-20s %-32s %-9s %7u %12llu %12llu %7u %7u %13llu\n", worker.address.id.c_str(),
		       worker.address.location.c_str(), WorkerStateName(worker.state), worker.threads,
		       static_cast<unsigned long long>(worker.memory_used_bytes >> 20),
		       static_cast<unsigned long long>(worker.memory_limit_bytes >> 20), worker.running_tasks,
		       worker.leased_queries, static_cast<unsigned long long>(worker.heartbeat_age_ms));
	}
	printf("driver %s: %zu workers, %u running tasks\n", location.c_str(), workers.size(), running);
	return 0;
}

} // namespace duckherder
