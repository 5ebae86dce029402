#include "main/node_commands.hpp"
#include "main/prepare_process.hpp"

#include "duckdb.hpp"

#include <cstdio>
#include <iostream>
#include <unistd.h>

namespace {

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
	duckherder::PrepareProcess();
	auto code = RunAndReport(std::vector<std::string>(argv + 1, argv + argc));
	std::cout.flush();
	fflush(stdout);
	// Everything of ours has ended. gRPC still has threads, which static destructors would pull the ground from under.
	_exit(code);
}
