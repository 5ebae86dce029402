#include "main/node_commands.hpp"

#include "engine/aggregate_state.hpp"
#include "common/limits.hpp"
#include "common/log.hpp"
#include "server/client_sessions.hpp"
#include "cluster/cluster.hpp"
#include "main/command_line.hpp"
#include "main/driver_database.hpp"
#include "main/lock_down.hpp"
#include "main/node_flags.hpp"
#include "main/node_log.hpp"
#include "main/node_pages.hpp"
#include "main/process_memory.hpp"
#include "main/process_nodes.hpp"
#include "main/registration.hpp"
#include "protocol/node_address.hpp"
#include "transport/flight/flight_connector.hpp"
#include "transport/node/flight_node.hpp"
#include "transport/in_process/in_process_registry.hpp"
#include "transport/credentials/token.hpp"
#include "worker/worker_database.hpp"
#include "worker/worker_node.hpp"
#include "web/cluster_json.hpp"
#include "web/trace_exporter.hpp"

#include "duckdb.hpp"
#include "duckdb/common/exception.hpp"
#include "duckdb/main/valid_checker.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstdio>
#include <ctime>
#include <iostream>
#include <thread>
#include <unistd.h>

namespace duckherder {

using namespace node_flags;

namespace {

//! What DuckDB's buffer manager may use of a process's memory limit. It does not see messages on their way, buffers of
//! file readers, and what the allocator keeps: a fifth, and at least this much, is left for those.
constexpr duckdb::idx_t UNSEEN_BYTES_MIN = 80ULL << 20;

//! Sets the limit of the process, and returns that of DuckDB's buffers
std::string LimitMemory(const std::string &memory_limit) {
	if (memory_limit.empty()) {
		return memory_limit;
	}
	auto bytes = duckdb::DBConfig::ParseMemoryLimit(memory_limit);
	process_memory::SetLimit(bytes);
	auto unseen = std::min(std::max(bytes / 5, UNSEEN_BYTES_MIN), bytes / 2);
	return std::to_string(bytes - unseen) + "B";
}

const FlagSpec INIT {"--init", "FILE.sql", "SQL to run at the start: ATTACH, CREATE SECRET, LOAD"};
const FlagSpec THREADS {"--threads", "N", "DuckDB threads; default all cores"};
const FlagSpec MEMORY_LIMIT {"--memory-limit", "SIZE", "of the process, for example 4GB; default 80 % of the machine"};
const FlagSpec TEMP_DIRECTORY {"--temp-directory", "D", "where data beyond memory goes"};
const FlagSpec TEMP_LIMIT {"--temp-limit", "SIZE",
                           "the most that may be there; default 90 % of what is free on that disk"};
const FlagSpec TLS_CERT {"--tls-cert", "F", "serve TLS with this certificate (PEM)"};
const FlagSpec TLS_CLIENT_CA {"--tls-client-ca", "F", "take only clients with a certificate of this authority (PEM)"};
const FlagSpec CLIENT_TOKENS {"--client-tokens", "F", "further tokens, a line 'read|write|admin TOKEN' each"};
const FlagSpec ALLOW_PATH {"--allow-path", "PATH",
                           "files, directories or URLs that statements of clients may reach where there are roles "
                           "(--client-tokens); may be repeated",
                           true};
const FlagSpec INSECURE {"--insecure", "", "listen beyond loopback without TLS"};
const FlagSpec CORE_DUMPS {"--core-dumps", "", "allow core dumps and debuggers: whoever reads a dump has the token"};

//! Of a flag in seconds
uint64_t MsOf(const CommandLine &flags, const std::string &name, uint64_t fallback_ms, uint64_t minimum_ms) {
	return 1000 * flags.GetNumber(name, fallback_ms / 1000, minimum_ms / 1000, limits::WAIT_FLAG_MAX_MS / 1000);
}

//! Of the database of a driver or of a worker
template <class OPTIONS>
void ReadResources(const CommandLine &flags, OPTIONS &options) {
	options.threads = static_cast<uint32_t>(flags.GetNumber(THREADS.name, 0, 1, 1024));
	options.memory_limit = LimitMemory(flags.Get(MEMORY_LIMIT.name));
	options.temp_directory = flags.Get(TEMP_DIRECTORY.name);
	options.temp_limit = flags.Get(TEMP_LIMIT.name);
}

FlightNodeOptions NodeOptionsOf(const CommandLine &flags, const std::string &default_listen) {
	auto listen = flags.GetAddress("--listen", default_listen);
	if (listen.tls && *listen.tls != flags.Has(TLS_CERT.name)) {
		throw UsageError("--listen %s, %s: TLS is served with --tls-cert and --tls-key", flags.Get("--listen"),
		                 *listen.tls ? "but there is no --tls-cert" : "but there is a --tls-cert");
	}
	FlightNodeOptions options;
	options.host = listen.host;
	options.port = listen.port;
	if (flags.Has("--advertise")) {
		auto advertised = flags.GetAddress("--advertise", "", 0);
		options.advertised_host = advertised.host;
		options.advertised_port = advertised.port;
	}
	options.token = LoadOrCreateToken(TokenFileOf(flags));
	options.tls_certificate = PemOf(flags, TLS_CERT, PemKind::CERTIFICATE);
	options.tls_key = PemOf(flags, TLS_KEY, PemKind::KEY);
	options.tls_client_authority = PemOf(flags, TLS_CLIENT_CA, PemKind::CERTIFICATE);
	options.client_tokens = LoadClientTokens(flags.Get(CLIENT_TOKENS.name));
	options.insecure = flags.Has(INSECURE.name);
	return options;
}

//! Files of the node's user that no statement of a client with a role may reach
std::vector<std::string> SecretFiles(const CommandLine &flags, const std::string &history) {
	std::vector<std::string> files = {history};
	for (auto &flag : {TOKEN, CLIENT_TOKENS, TLS_KEY}) {
		files.push_back(flags.Get(flag.name));
	}
	// it may hold secrets, too
	files.push_back(flags.Get(INIT.name));
	auto variable = std::getenv("DUCKHERDER_TOKEN_FILE");
	files.emplace_back(variable ? variable : "");
	auto home = std::getenv("HOME");
	files.push_back(home && *home ? std::string(home) + "/.duckherder/token" : "");
	return files;
}

//! Once all is attached and loaded
void LockForRoles(duckdb::DuckDB &database, const CommandLine &flags, const FlightNodeOptions &node,
                  const std::string &history) {
	if (!node.client_tokens.empty()) {
		LockDown(database, {flags.GetAll(ALLOW_PATH.name), SecretFiles(flags, history)});
	} else if (flags.Has(ALLOW_PATH.name)) {
		throw UsageError("--allow-path is about clients with roles: it needs --client-tokens");
	}
}

//! Of a node, which makes the token if it is the first one on its machine
FlightClientSettings NodeSettingsOf(const CommandLine &flags) {
	return ClientSettingsOf(flags, LoadOrCreateToken(TokenFileOf(flags)));
}

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

//! Waits until a signal or `shall_stop` says so, and does `regularly` every heartbeat interval. False if the database
//! is invalid instead.
bool RunUntilStopped(duckdb::DatabaseInstance &db, const std::function<bool()> &shall_stop,
                     const std::function<void()> &regularly) {
	SteadyClock clock;
	auto last = clock.NowMs();
	while (!StopRequested(limits::BROKEN_LOOK_INTERVAL_MS) && !shall_stop()) {
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

//! A machine may start its driver and its workers in any order
constexpr uint64_t DRIVER_WAIT_MS = 60000;

//! The end of a node whose database is invalid: nothing of it can be used any more, its orderly end neither.
[[noreturn]] void EndBroken(duckdb::DatabaseInstance &db, const char *node) {
	Log::OfProcess().Write(LogLevel::ERROR, "database_ended",
	                       "duckherder: the database ended after a fatal error: " +
	                           duckdb::ValidChecker::InvalidatedMessage(db) + "\nStart the " + node + " again");
	std::_Exit(EXIT_DATABASE_ENDED);
}

void SayListening(const FlightNode &node) {
	std::cout << "listening on " << node.Location() << std::endl;
}

//! Unique as long as the address is
std::string DefaultWorkerId(const FlightNode &node) {
	auto location = node.Location();
	auto address = location.substr(location.find("://") + 3);
	auto loopback =
	    address.rfind("127.", 0) == 0 || address.rfind("localhost:", 0) == 0 || address.rfind("[::1]:", 0) == 0;
	if (loopback) {
		// who is reached at loopback is so on each machine
		char name[256] = {};
		if (gethostname(name, sizeof(name) - 1) == 0) {
			address = name + address.substr(address.rfind(':'));
		}
	}
	std::replace(address.begin(), address.end(), ':', '-');
	return "worker-" + address;
}

void AwaitIdleTasks(WorkerNode &worker, uint64_t wait_ms) {
	SteadyClock clock;
	auto deadline = clock.NowMs() + wait_ms;
	while (worker.GetInfo().running_tasks > 0 && clock.NowMs() < deadline) {
		std::this_thread::sleep_for(std::chrono::milliseconds(limits::WAIT_SLICE_MS));
	}
	// the answers of the last ones are on their way
	std::this_thread::sleep_for(std::chrono::milliseconds(limits::BROKEN_LOOK_INTERVAL_MS));
}

//! Takes no new tasks, finishes those that run, and stays as long as a query may read what they have made. Ends early
//! by another signal to stop.
void Drain(WorkerNode &worker, Registration *registration, uint64_t timeout_ms) {
	worker.SetDraining();
	SteadyClock clock;
	auto deadline = clock.NowMs() + timeout_ms;
	while (true) {
		worker.DropExpired();
		if (worker.Idle() || clock.NowMs() >= deadline) {
			return;
		}
		if (registration) {
			registration->Heartbeat();
		}
		if (StopRequested(limits::DRAIN_LOOK_INTERVAL_MS)) {
			return;
		}
	}
}

//! Where the history of queries is kept; empty: in memory only
std::string HistoryPath(const CommandLine &flags) {
	auto history = flags.Get("--history");
	if (flags.Has("--history")) {
		if (history.empty()) {
			throw UsageError("--history is empty, it can be a file or 'off'");
		}
		return history == "off" ? "" : history;
	}
	auto database = flags.Get("--database");
	// beside what is not a file of this machine there is no place
	auto local = !database.empty() && database != ":memory:" && !duckdb::FileSystem::IsRemoteFile(database);
	return local ? database + ".history" : "";
}

//! What a driver does for its history when it ends at once
void KeepLastQueries(DatabaseState &state) {
	try {
		state.FlushHistory();
	} catch (std::exception &error) {
		Log::OfProcess().Write(LogLevel::ERROR, "history", duckdb::ErrorData(error).Message());
	}
}

//! Behind its own flags, the last of each node's
std::vector<FlagSpec> WithFlagsOfNodes(std::vector<FlagSpec> flags) {
	for (auto &flag :
	     {TLS_CERT, TLS_KEY, TLS_CA, TLS_CLIENT_CA, INSECURE, CORE_DUMPS, LOG_FORMAT, LOG_FILE, CONFIG, HELP}) {
		flags.push_back(flag);
	}
	return flags;
}

std::vector<FlagSpec> DriverFlags() {
	return WithFlagsOfNodes({
	    {"--listen", "HOST:PORT", "default 127.0.0.1:8815; port 0 takes a free one"},
	    {"--database", "FILE", "whose tables clients attach; default: in memory"},
	    {"--lake", "ducklake:…", "whose tables clients attach instead, a DuckLake"},
	    {"--data-path", "PATH", "where a new lake has its files"},
	    {"--history", "FILE|off",
	     "where the history of queries is kept; default: "
	     "FILE.history beside --database, else in memory"},
	    INIT,
	    THREADS,
	    MEMORY_LIMIT,
	    TEMP_DIRECTORY,
	    TEMP_LIMIT,
	    {"--max-queries", "N", "queries that run at a time, others wait; default 64"},
	    {"--max-queued", "N", "queries that wait, others are refused; default 1000"},
	    {"--queue-timeout", "SECONDS", "how long a query waits; default 300"},
	    {"--transaction-idle", "SECONDS",
	     "how long a transaction of a Flight SQL client may wait for its next statement; "
	     "default 300"},
	    DRIVER_HTTP,
	    MIN_READY_WORKERS,
	    LOG_SLOW_QUERIES,
	    {"--otlp-endpoint", "http://HOST:PORT",
	     "send a trace of each query to this collector (OTLP/HTTP); default none"},
	    TOKEN,
	    CLIENT_TOKENS,
	    ALLOW_PATH,
	});
}

std::vector<FlagSpec> WorkerFlags() {
	return WithFlagsOfNodes({
	    {"--listen", "HOST:PORT", "default 127.0.0.1:0; port 0 takes a free one"},
	    {"--advertise", "HOST[:PORT]", "how others reach this node; default the host and port of --listen"},
	    {"--driver", "HOST:PORT",
	     "register with this driver; without it sessions register "
	     "the worker themselves"},
	    {"--driver-timeout", "SECONDS", "how long to wait at the start for a driver that does not answer; default 60"},
	    {"--id", "NAME", "unique in the cluster; default worker-HOST-PORT, of the address that others reach"},
	    THREADS,
	    {"--remote-threads", "N",
	     "DuckDB threads while a task reads s3://, https:// and the like; default 8 times --threads, at most 64"},
	    MEMORY_LIMIT,
	    TEMP_DIRECTORY,
	    INIT,
	    {"--lease-timeout", "SECONDS", "how long rows stay here for a query whose session is silent; default 60"},
	    {"--drain-timeout", "SECONDS",
	     "after SIGTERM, how long to wait for running tasks, and for queries that may read what is here; default 60"},
	    TEMP_LIMIT,
	    WORKER_HTTP,
	    TOKEN,
	    CLIENT_TOKENS,
	});
}

std::vector<FlagSpec> StatusFlags() {
	return {{"--json", "", "as one JSON object"}, DRIVER, TOKEN, TLS_CA, TLS_SHOWN_CERT, TLS_KEY, HELP};
}

} // namespace

std::vector<CommandSpec> NodeCommands() {
	return {{"driver", "", "where workers register and sessions find them", DriverFlags()},
	        {"worker", "", "runs tasks of queries", WorkerFlags()},
	        {"status", "", "the workers of a driver and what they do", StatusFlags()}};
}

void BlockStopSignals() {
	auto signals = AwaitedSignals();
	pthread_sigmask(SIG_BLOCK, &signals, nullptr);
	signal(SIGPIPE, SIG_IGN);
}

int RunDriver(const std::vector<std::string> &words) {
	auto specs = DriverFlags();
	CommandLine flags("driver", specs, words);
	if (WantsHelp(flags,
	              "duckherder driver: a database for clients to attach, whose queries run on the "
	              "workers that register here",
	              specs)) {
		return 0;
	}
	AllowDumps(flags.Has(CORE_DUMPS.name));
	SetUpLog(flags);
	AdmissionLimits admission;
	admission.running_max =
	    static_cast<uint32_t>(flags.GetNumber("--max-queries", admission.running_max, 1, limits::QUERIES_FLAG_MAX));
	admission.queued_max =
	    static_cast<uint32_t>(flags.GetNumber("--max-queued", admission.queued_max, 0, limits::QUERIES_FLAG_MAX));
	admission.wait_max_ms = MsOf(flags, "--queue-timeout", admission.wait_max_ms, 0);
	DriverDatabaseOptions options;
	options.file = flags.Get("--database");
	options.history = HistoryPath(flags);
	ReadResources(flags, options);
	auto driver = OpenDriverDatabase(options, std::make_shared<ProcessNodes>(NodeSettingsOf(flags)));
	RunInitFile(*driver.database, flags.Get(INIT.name));
	std::string main_database;
	if (flags.Has("--lake")) {
		AttachLake(*driver.database, flags.Get("--lake"), flags.Get("--data-path"));
		main_database = LAKE_NAME;
	} else if (flags.Has("--data-path")) {
		throw UsageError("--data-path is where a lake has its files: it needs --lake");
	}
	driver.state->services.cluster->SetAdmissionLimits(admission);
	auto node_options = NodeOptionsOf(flags, DEFAULT_DRIVER);
	LockForRoles(*driver.database, flags, node_options, options.history);
	node_options.transaction_idle_ms =
	    MsOf(flags, "--transaction-idle", limits::FLIGHT_SQL_IDLE_DEFAULT_MS, limits::FLIGHT_SQL_IDLE_MIN_MS);
	FlightNode node(node_options);
	node.SetDriver(driver.state->services.cluster);
	auto sessions = std::make_shared<ClientSessions>(driver.database->instance->shared_from_this(),
	                                                 driver.state->services.clock, main_database);
	driver.state->SetSessions(sessions);
	node.SetDatabase(sessions);
	node.Start();
	// statements are refused at the bound; none is chosen to be ended
	process_memory::Watch memory_watch([](const std::string &) {});
	SayListening(node);
	auto pages = ServeDriver(flags, node_options, *driver.state, std::move(sessions));
	std::unique_ptr<TraceExporter> traces;
	if (flags.Has("--otlp-endpoint")) {
		traces = std::make_unique<TraceExporter>(
		    driver.state->services.recorder, flags.Get("--otlp-endpoint"),
		    [](const std::string &text) { Log::OfProcess().Write(LogLevel::WARNING, "traces", text); });
	}
	auto &instance = *driver.database->instance;
	ClusterLog log(*driver.state, 1000 * MsOf(flags, LOG_SLOW_QUERIES.name, 0, 0));
	if (!RunUntilStopped(instance, [] { return false; }, [&] { log.Look(); })) {
		KeepLastQueries(*driver.state);
		EndBroken(instance, "driver");
	}
	if (pages) {
		pages->Stop();
	}
	node.Stop();
	return 0;
}

int RunWorker(const std::vector<std::string> &words, const WrapWorker &wrap) {
	auto specs = WorkerFlags();
	CommandLine flags("worker", specs, words);
	if (WantsHelp(flags, "duckherder worker: runs tasks of queries", specs)) {
		return 0;
	}
	AllowDumps(flags.Has(CORE_DUMPS.name));
	SetUpLog(flags);
	WorkerDatabaseOptions options;
	ReadResources(flags, options);
	options.make_allocator = process_memory::MakeAllocator;
	options.register_functions.push_back(RegisterAggregateStateFunctions);
	auto database = OpenWorkerDatabase(options);
	RunInitFile(*database, flags.Get(INIT.name));

	WorkerNodeOptions node_options;
	node_options.lease_timeout_ms =
	    MsOf(flags, "--lease-timeout", limits::LEASE_TIMEOUT_MS, limits::LEASE_TIMEOUT_MIN_MS);
	node_options.remote_threads = static_cast<uint32_t>(flags.GetNumber("--remote-threads", 0, 1, 1024));
	auto flight_options = NodeOptionsOf(flags, "127.0.0.1:0");
	FlightNode node(flight_options);
	node.Start();
	WorkerAddress address {flags.Get("--id", DefaultWorkerId(node)), node.Location()};
	auto worker = std::make_shared<WorkerNode>(address, database,
	                                           std::make_shared<FlightConnector>(NodeSettingsOf(flags)), node_options);
	process_memory::Watch memory_watch([worker](const std::string &error) { worker->RelieveMemory(error); });
	node.AddWorker(address.id, wrap ? wrap(worker, *database) : worker);
	std::unique_ptr<Registration> registration;
	if (flags.Has("--driver")) {
		registration = std::make_unique<Registration>(worker, DriverLocation(flags), NodeSettingsOf(flags));
		auto wait_ms = MsOf(flags, "--driver-timeout", DRIVER_WAIT_MS, 0);
		if (!registration->Register(wait_ms, StopRequested)) {
			return 0;
		}
	}
	SayListening(node);
	auto pages = ServeWorker(flags, flight_options, [worker] { return worker->GetInfo(); });
	auto valid = RunUntilStopped(
	    *database->instance, [&] { return worker->DrainRequested(); },
	    [&] {
		    worker->DropExpired();
		    if (registration) {
			    registration->Heartbeat();
		    }
	    });
	if (!valid) {
		if (registration) {
			registration->Unregister();
		}
		// those that wait for a task are told what has happened
		AwaitIdleTasks(*worker, limits::BROKEN_END_WAIT_MS);
		EndBroken(*database->instance, "worker");
	}
	Drain(*worker, registration.get(), MsOf(flags, "--drain-timeout", limits::DRAIN_TIMEOUT_MS, 0));
	if (registration) {
		registration->Unregister();
	}
	node.Stop();
	return 0;
}

int RunStatus(const std::vector<std::string> &words) {
	auto specs = StatusFlags();
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
