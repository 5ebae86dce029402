#pragma once

#include "compat/names.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/logical_operator.hpp"

namespace duckherder {

//! Why an operator, regarded without its children, cannot run on a worker; empty if it can. A delim join can if its
//! source is shared (CanShareDelimJoin).
//! Looks at the operator's kind and at every function that it calls (engine/function_traits.def): what depends on the
//! session (search path, sequences, random numbers, functions that only this process has) stays there.
duckdb::string WhyNotOnWorker(duckdb::ClientContext &context, duckdb::LogicalOperator &op);

//! Statements around a query that take its rows as they come: EXPLAIN, PREPARE, INSERT, CREATE TABLE AS, COPY TO.
bool OnlyPassesRowsOn(const duckdb::LogicalOperator &op);

//! Why a whole statement is not distributed whatever its scans are (it changes rows, it reads the table that it fills,
//! ...); empty if it may be. `plan` is the root. `seeded`: the random numbers of the session come from a seed.
duckdb::string WhyNotDistributed(duckdb::LogicalOperator &plan, bool seeded);

//! Whether the rows an operator gives may depend on the order in which it gets them; asked top-down from the root.
bool ResultDependsOnInputOrder(const duckdb::LogicalOperator &op, bool order_matters_above);

//! Whether the order of a CTE's rows may matter to the plan `op`, which reads it.
bool ReadInOrder(const duckdb::LogicalOperator &op, duckdb::TableIndex cte_index, bool order_matters_above);

} // namespace duckherder
