#include "main/command_line.hpp"
#include "main/node_commands.hpp"
#include "main/operator_commands.hpp"
#include "main/prepare_process.hpp"
#include "main/shell_help.hpp"

#include "transport/flight/arrow_version.hpp"

#include "duckdb.hpp"
#include "duckdb/common/string_util.hpp"

#include <cstdio>
#include <duckherder_version.hpp>
#include <iostream>
#include <unistd.h>

namespace {

constexpr const char *USAGE = R"(duckherder: runs DuckDB queries on many machines

%s  duckherder --version

Each takes --help. Queries are typed into DuckDB: LOAD the extension there.
Ends with 0, with 1 after a failure, or with 2 if what was typed is wrong.
)";

std::vector<duckherder::CommandSpec> Commands() {
	auto commands = duckherder::NodeCommands();
	for (auto &command : duckherder::OperatorCommands()) {
		commands.push_back(std::move(command));
	}
	commands.push_back({"completion", "SHELL", "a script by which bash, zsh or fish completes these commands", {}});
	commands.push_back({"man", "", "the manual page; duckherder man | man -l - shows it", {}});
	return commands;
}

std::string Usage() {
	return duckdb::StringUtil::Format(USAGE, duckherder::CommandList(Commands()));
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
	if (command == "completion") {
		std::cout << duckherder::CompletionScript(Commands(), rest.empty() ? "" : rest[0]);
		return 0;
	}
	if (command == "man") {
		std::cout << duckherder::ManualPage(Commands(), DUCKHERDER_VERSION);
		return 0;
	}
	if (duckherder::RunOperatorCommand(command, rest)) {
		return 0;
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
