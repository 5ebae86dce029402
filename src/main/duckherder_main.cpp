#include "main/node_commands.hpp"

#include "duckdb.hpp"

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

namespace {

//! Blocks of at least this size are mapped and go back to the system when freed: a message of an exchange is larger
constexpr int MAPPED_BLOCK_BYTES = 128 << 10;

//! A node promises to stay within its memory limit, which DuckDB keeps only for what it allocates itself. Messages are
//! large, short-lived, and freed by other threads than those that made them, the worst case for allocators that keep
//! what they have: a quarter of a 200 MB limit was memory that nobody used. Before any thread starts.
void GiveMessagesBackToTheSystem() {
	// Setting the threshold also keeps glibc from raising it by itself.
	mallopt(M_MMAP_THRESHOLD, MAPPED_BLOCK_BYTES);
	setenv("ARROW_DEFAULT_MEMORY_POOL", "system", 0);
}

//! Strangers may open connections and keep them: as many as the system allows are none too many
void RaiseFileLimit() {
	rlimit limit {};
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

constexpr const char *USAGE = R"(duckherder: runs DuckDB queries on many machines

  duckherder driver   where workers register and sessions find them
  duckherder worker   runs tasks
  duckherder status   the workers of a driver and what they do
  duckherder --version

Each takes --help. Queries are typed into DuckDB: LOAD the extension there.
)";

int Run(const std::vector<std::string> &words) {
	auto command = words.empty() ? std::string() : words[0];
	std::vector<std::string> rest(words.begin() + (words.empty() ? 0 : 1), words.end());
	if (command == "driver") {
		return duckherder::RunDriver(rest);
	}
	if (command == "worker") {
		return duckherder::RunWorker(rest);
	}
	if (command == "status") {
		return duckherder::RunStatus(rest);
	}
	if (command == "--version") {
		std::cout << "duckherder for DuckDB " << duckdb::DuckDB::LibraryVersion() << std::endl;
		return 0;
	}
	if (command == "--help" || command == "help") {
		std::cout << USAGE;
		return 0;
	}
	std::cerr << (command.empty() ? "no subcommand is given" : "unknown subcommand '" + command + "'") << "\n\n"
	          << USAGE;
	return 2;
}

int RunAndReport(const std::vector<std::string> &words) {
	try {
		return Run(words);
	} catch (std::exception &error) {
		std::cerr << "duckherder: " << duckdb::ErrorData(error).Message() << std::endl;
		return 1;
	}
}

} // namespace

int main(int argc, char **argv) {
	GiveMessagesBackToTheSystem();
	RaiseFileLimit();
	duckherder::BlockStopSignals();
	auto code = RunAndReport(std::vector<std::string>(argv + 1, argv + argc));
	std::cout.flush();
	fflush(stdout);
	// Everything of ours has ended. gRPC still has threads, which static destructors would pull the ground from under.
	_exit(code);
}
