#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace duckherder {

class WorkerNode;
class WorkerService;

//! What answers for a worker instead of itself; for tests, which make it fail
using WrapWorker = std::function<std::shared_ptr<WorkerService>(std::shared_ptr<WorkerNode>)>;

//! The subcommands of the duckherder program. `words`: what stands behind the subcommand. They return the exit code,
//! and throw DuckDB exceptions for what the user has to change. driver and worker run until SIGTERM or SIGINT; those
//! signals must be blocked in all threads before (BlockStopSignals).
int RunDriver(const std::vector<std::string> &words);
int RunWorker(const std::vector<std::string> &words, const WrapWorker &wrap = nullptr);
int RunStatus(const std::vector<std::string> &words);

void BlockStopSignals();

} // namespace duckherder
