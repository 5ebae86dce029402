#pragma once

#include "common/task_error.hpp"

#include "duckdb.hpp"

#include <string>
#include <vector>

namespace duckherder {

//! What to add to DuckDB's message of an error at a worker, because a worker is another process than the session: whose
//! secrets, whose extensions, whose database. Empty where the message says all.
std::string HintForWorker(const duckdb::ErrorData &error);

//! Errors of decoders tell what was wrong with some bytes, but not of which file. Names those that the task was
//! reading.
void NameFiles(TaskError &error, const std::vector<std::string> &paths);

} // namespace duckherder
