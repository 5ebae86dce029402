#pragma once

#include "planner/split/split_scans.hpp"
#include "protocol/messages.hpp"

#include <string>
#include <vector>

namespace duckherder {

//! The type of our entries in DuckDB's log
constexpr const char *TRACE_LOG_TYPE = "Duckherder";

//! The [PIPELINE TASKS] block of one scan. `assigned`: the worker of each task, by id.
std::string TraceBlock(const PipelineTasks &split, const std::string &sql, const std::vector<WorkerInfo> &workers,
                       const std::vector<WorkerId> &assigned);

//! To DuckDB's log (type 'Duckherder') if that is on, and to stderr if `print`.
void WriteTrace(duckdb::ClientContext &context, bool print, const std::string &text);

} // namespace duckherder
