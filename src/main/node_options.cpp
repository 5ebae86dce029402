#include "main/node_options.hpp"

#include "compat/names.hpp"
#include "common/limits.hpp"
#include "main/lock_down.hpp"
#include "main/node_flags.hpp"
#include "main/node_log.hpp"
#include "main/node_pages.hpp"
#include "main/process_memory.hpp"
#include "transport/credentials/token.hpp"

#include "duckdb/common/exception.hpp"

#include <algorithm>
#include <cstdlib>

namespace duckherder {

using namespace node_flags;

const FlagSpec node_flags::DATABASE {"--database", "FILE", "whose tables clients attach; default: in memory"};
const FlagSpec node_flags::LAKE {"--lake", "ducklake:…", "whose tables clients attach instead, a DuckLake"};
const FlagSpec node_flags::DATA_PATH {"--data-path", "PATH", "where a new lake has its files"};
const FlagSpec node_flags::INIT {"--init", "FILE.sql", "SQL to run at the start: ATTACH, CREATE SECRET, LOAD"};
const FlagSpec node_flags::CORE_DUMPS {"--core-dumps", "",
                                       "allow core dumps and debuggers: whoever reads a dump has the token"};

namespace {

//! What DuckDB's buffer manager may use of a process's memory limit. It does not see messages on their way, buffers of
//! file readers, and what the allocator keeps: a fifth, and at least this much, is left for those.
constexpr duckdb::idx_t UNSEEN_BYTES_MIN = 80ULL << 20;

//! Sets the limit of the process, and returns that of DuckDB's buffers
std::string LimitMemory(const std::string &memory_limit) {
	if (memory_limit.empty()) {
		return memory_limit;
	}
	auto bytes = ParseMemoryLimit(memory_limit);
	process_memory::SetLimit(bytes);
	auto unseen = std::min(std::max(bytes / 5, UNSEEN_BYTES_MIN), bytes / 2);
	return std::to_string(bytes - unseen) + "B";
}

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
const FlagSpec HISTORY {
    "--history", "FILE|off",
    "where the history of queries is kept; default: FILE.history beside --database, else in memory"};

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
	    DATABASE,
	    LAKE,
	    DATA_PATH,
	    HISTORY,
	    INIT,
	    THREADS,
	    MEMORY_LIMIT,
	    TEMP_DIRECTORY,
	    TEMP_LIMIT,
	    {"--max-queries", "N", "queries that run at a time, others wait; default 64"},
	    {"--max-queued", "N", "queries that wait, others are refused; default 1000"},
	    {"--queue-timeout", "SECONDS", "how long a query waits; default 300"},
	    {"--wait-for-workers", "SECONDS",
	     "how long a query that workers could run waits for the first one to register; default 0"},
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

//! A flag that only makes sense where the process is the node's own
struct ProgramFlag {
	const FlagSpec &flag;
	//! Of drivers only, whose database the process has already
	bool of_driver;
	const char *why;
};

const ProgramFlag PROGRAM_FLAGS[] = {
    {DATABASE, true, "serves the database of its connection: open that file or ATTACH it before"},
    {LAKE, true, "serves the database of its connection: ATTACH the lake before"},
    {DATA_PATH, true, "serves the database of its connection: ATTACH the lake before"},
    {HISTORY, true, "keeps the history of its database in memory: FROM duckherder_get_query_history()"},
    {INIT, true, "serves the database of its connection: run the statements there before"},
    {THREADS, true, "serves the database of its connection: SET threads there"},
    {MEMORY_LIMIT, true, "serves the database of its connection: SET memory_limit there"},
    {TEMP_DIRECTORY, true, "serves the database of its connection: SET temp_directory there"},
    {TEMP_LIMIT, true, "serves the database of its connection: SET max_temp_directory_size there"},
    {CORE_DUMPS, false, "leaves it to its process whether that may be dumped"},
};

} // namespace

std::vector<FlagSpec> FlagsOf(NodeKind kind) {
	return kind == NodeKind::DRIVER ? DriverFlags() : WorkerFlags();
}

const char *WhyNotWithinProcess(NodeKind kind, const FlagSpec &flag) {
	for (auto &entry : PROGRAM_FLAGS) {
		if (std::string(entry.flag.name) == flag.name && (kind == NodeKind::DRIVER || !entry.of_driver)) {
			return entry.why;
		}
	}
	return nullptr;
}

uint64_t MsOf(const CommandLine &flags, const std::string &name, uint64_t fallback_ms, uint64_t minimum_ms) {
	return 1000 * flags.GetNumber(name, fallback_ms / 1000, minimum_ms / 1000, limits::WAIT_FLAG_MAX_MS / 1000);
}

NodeResources ResourcesOf(const CommandLine &flags, NodeHost host) {
	NodeResources resources;
	resources.threads = static_cast<uint32_t>(flags.GetNumber(THREADS.name, 0, 1, 1024));
	auto memory_limit = flags.Get(MEMORY_LIMIT.name);
	resources.memory_limit = host == NodeHost::PROGRAM ? LimitMemory(memory_limit) : memory_limit;
	resources.temp_directory = flags.Get(TEMP_DIRECTORY.name);
	resources.temp_limit = flags.Get(TEMP_LIMIT.name);
	return resources;
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

FlightClientSettings NodeSettingsOf(const CommandLine &flags) {
	return ClientSettingsOf(flags, LoadOrCreateToken(TokenFileOf(flags)));
}

std::string HistoryPath(const CommandLine &flags) {
	auto history = flags.Get(HISTORY.name);
	if (flags.Has(HISTORY.name)) {
		if (history.empty()) {
			throw UsageError("--history is empty, it can be a file or 'off'");
		}
		return history == "off" ? "" : history;
	}
	auto database = flags.Get(DATABASE.name);
	// beside what is not a file of this machine there is no place
	auto local = !database.empty() && database != ":memory:" && !duckdb::FileSystem::IsRemoteFile(database);
	return local ? database + ".history" : "";
}

void LockForRoles(duckdb::DatabaseInstance &database, const CommandLine &flags, const FlightNodeOptions &node,
                  const std::string &history) {
	if (!node.client_tokens.empty()) {
		LockDown(database, {flags.GetAll(ALLOW_PATH.name), SecretFiles(flags, history)});
	} else if (flags.Has(ALLOW_PATH.name)) {
		throw UsageError("--allow-path is about clients with roles: it needs --client-tokens");
	}
}

} // namespace duckherder
