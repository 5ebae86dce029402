#include "main/command_line.hpp"
#include "main/node_commands.hpp"
#include "main/operator_commands.hpp"
#include "main/prepare_process.hpp"

#include "transport/flight/arrow_version.hpp"

#include "duckdb.hpp"
#include "duckdb/common/string_util.hpp"

#include <cstdio>
#include <duckherder_version.hpp>
#include <iostream>
#include <unistd.h>

namespace {

constexpr const char *USAGE = R"(duckherder: runs DuckDB queries on many machines

  duckherder driver   where workers register and sessions find them
  duckherder worker   runs tasks
  duckherder status   the workers of a driver and what they do
%s  duckherder --version

Each takes --help. Queries are typed into DuckDB: LOAD the extension there.
Ends with 0, with 1 after a failure, or with 2 if what was typed is wrong.
)";

std::string Usage() {
	return duckdb::StringUtil::Format(USAGE, duckherder::OperatorCommandHelp());
}

//! Of a checkout; an archive has none
std::string CommitText() {
	auto commit = std::string(DUCKHERDER_COMMIT);
	return commit.empty() ? commit : " (commit " + commit + ")";
}

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
		std::cout << "duckherder " << DUCKHERDER_VERSION << CommitText() << ", DuckDB "
		          << duckdb::DuckDB::LibraryVersion() << ", Arrow " << duckherder::ArrowVersion() << std::endl;
		return 0;
	}
	if (command == "--help" || command == "help") {
		std::cout << Usage();
		return 0;
	}
	auto code = 0;
	if (duckherder::RunOperatorCommand(command, rest, code)) {
		return code;
	}
	std::cerr << (command.empty() ? "no subcommand is given" : "unknown subcommand '" + command + "'") << "\n\n"
	          << Usage();
	return duckherder::EXIT_USAGE;
}

int RunAndReport(const std::vector<std::string> &words) {
	try {
		return Run(words);
	} catch (duckherder::UsageError &error) {
		std::cerr << "duckherder: " << duckdb::ErrorData(error).RawMessage() << std::endl;
		return duckherder::EXIT_USAGE;
	} catch (std::exception &error) {
		std::cerr << "duckherder: " << duckdb::ErrorData(error).Message() << std::endl;
		return duckherder::EXIT_FAILED;
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
