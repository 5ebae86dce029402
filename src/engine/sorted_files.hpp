#pragma once

#include "common/ids.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/operator/logical_copy_to_file.hpp"

namespace duckherder {

//! Several tasks write sorted rows to files, each its own range of them. A COPY of such a stage says so, and its file
//! names contain this mark where the number of the task will stand, so that names are in the order of the rows.
constexpr const char *TASK_NUMBER_MARK = "#task#";

//! For the planner: lets the COPY keep the order of its rows. Without `rotates` each task writes one file.
void KeepOrder(duckdb::LogicalCopyToFile &copy, bool rotates);

//! For a worker: if the plan is such a COPY, its files get names with this task's number, and DuckDB writes the rows in
//! their order: to one file by all threads, or to several, one after another, by one thread. The plan is not one that
//! others read.
void WriteInOrder(duckdb::ClientContext &context, duckdb::LogicalOperator &plan, TaskId task);

} // namespace duckherder
