#pragma once

#include "duckdb.hpp"

namespace duckherder {

//! Puts constants back into the arguments of aggregates, where DuckDB's optimizer has made columns of them that
//! operators below compute: an aggregate that was bound with the constant (the separator of string_agg) cannot be
//! serialized with a column in its place. Only since 2.0, whose binding leaves such arguments where they are. Changes
//! nothing else of the plan.
void InlineConstantsIntoAggregates(duckdb::ClientContext &context, duckdb::LogicalOperator &plan);

} // namespace duckherder
