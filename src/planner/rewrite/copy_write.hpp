#pragma once

#include "planner/interface/planner_options.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/logical_operator.hpp"

namespace duckherder {

//! Whether `op` is a COPY TO of which each worker could write files of its own: into a directory (PARTITION_BY,
//! PER_THREAD_OUTPUT, FILE_SIZE_BYTES) of an object store or below one of options.shared_paths, as Parquet or CSV, not
//! encrypted, with names that are left to DuckDB.
bool CopiesToManyFiles(duckdb::ClientContext &context, const duckdb::LogicalOperator &op,
                       const PlannerOptions &options);

//! Whether workers can write the files of such a COPY so that rows which are sorted stay so, from file to file.
bool CanCopySorted(const duckdb::LogicalOperator &op);

//! Cuts such a COPY into two: one for workers, which lists what it has written, is the new child of `op`, and has the
//! rows as its child; `op` becomes what is left to do here. That is to look at the directory first and to empty it if
//! the statement says so, to remove what attempts have left that did not count, and to give the statement's result.
//! `sorted`: tasks that follow each other get rows that do.
void SplitCopy(duckdb::ClientContext &context, duckdb::unique_ptr<duckdb::LogicalOperator> &op, bool sorted);

} // namespace duckherder
