#pragma once

#include "main/command_line.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace duckdb {
class DuckDB;
} // namespace duckdb

namespace duckherder {

class WorkerNode;
class WorkerService;

//! What answers for a worker instead of itself; for tests, which make it fail
using WrapWorker = std::function<std::shared_ptr<WorkerService>(std::shared_ptr<WorkerNode>, duckdb::DuckDB &)>;

//! With which a driver or worker ends whose database is invalid after a fatal error: to be started again. It is
//! EX_SOFTWARE of sysexits.h
constexpr int EXIT_DATABASE_ENDED = 70;

//! The subcommands of the duckherder program. `words`: what stands behind the subcommand. They return the exit code,
//! and throw DuckDB exceptions for what the user has to change. driver and worker run until SIGTERM or SIGINT; those
//! signals must be blocked in all threads before (BlockStopSignals).
int RunDriver(const std::vector<std::string> &words);
int RunWorker(const std::vector<std::string> &words, const WrapWorker &wrap = nullptr);
int RunStatus(const std::vector<std::string> &words);

//! Those three, for the program's help
std::vector<CommandSpec> NodeCommands();

void BlockStopSignals();

} // namespace duckherder
