#pragma once

#include "duckdb.hpp"
#include "duckdb/planner/binder.hpp"
#include "duckdb/planner/operator/logical_comparison_join.hpp"
#include "duckdb/planner/operator/logical_distinct.hpp"

//! A delim join (DuckDB's form of a correlated subquery) is a join one side of which, the right one or the left one if
//! flipped, starts from the distinct values of the other. With that other side as a shared CTE all is ordinary:
//! join(CTE, side(DISTINCT of CTE)).
namespace duckherder {

//! Not for correlations within correlations. A correlated mark join counts NULLs per value of the correlated columns:
//! it keeps their types (mark_types), and is right as long as all its right rows are at one place.
bool CanShareDelimJoin(const duckdb::LogicalComparisonJoin &join);

//! Which child of a delim join becomes the CTE.
inline duckdb::idx_t SourceOf(const duckdb::LogicalComparisonJoin &join) {
	return join.delim_flipped ? 1 : 0;
}

//! Turns the delim join `op`, which is somewhere in `root`, into a materialized CTE (first child) and the ordinary join
//! that reads it (second child). Everything in `root` that named the columns of the shared side is rebound.
//! Returns what stands for the scans of the distinct values: DISTINCT over a projection of a scan of the CTE.
duckdb::vector<duckdb::reference<duckdb::LogicalDistinct>>
ShareDelimJoin(duckdb::Binder &binder, duckdb::LogicalOperator &root, duckdb::unique_ptr<duckdb::LogicalOperator> &op);

bool ContainsOperator(const duckdb::LogicalOperator &op, duckdb::LogicalOperatorType type);

} // namespace duckherder
