#pragma once

#include "duckdb.hpp"
#include "duckdb/planner/logical_operator.hpp"

namespace duckherder {

//! Whether a statement fills a table of a DuckLake with the rows of its child, in files that workers could write:
//! INSERT or CREATE TABLE AS, not encrypted (the key stays with the driver).
bool FillsLakeTable(duckdb::ClientContext &context, duckdb::LogicalOperator &op);

//! Has DuckLake plan such a statement, which it does as a COPY whose list of written files it then registers. `op` is
//! replaced by an operator that registers the files which its child lists, and the child is that COPY over the rows as
//! DuckLake wants them: its casts, defaults, sort order and partition keys are operators below it. These two can run at
//! different places. False if DuckLake does something else with the rows, such as keeping few of them in its catalog:
//! `op` then takes rows, as before. Either way the statement was planned, and `op` belongs to this transaction.
//! Before files are registered it is checked that this process sees them as large as they were written, so that workers
//! without the shared storage are an error instead of a table that cannot be read.
bool PlanLakeWrite(duckdb::ClientContext &context, duckdb::Binder &binder,
                   duckdb::unique_ptr<duckdb::LogicalOperator> &op);

} // namespace duckherder
