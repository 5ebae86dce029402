#pragma once

#include "planner/planner_options.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/operator/logical_comparison_join.hpp"

namespace duckherder {

enum class JoinStrategy {
	BROADCAST_RIGHT, //! the left side stays where it is, every task gets the whole right side
	BROADCAST_LEFT,  //! the other way round
	SHUFFLE,         //! both sides by hash of the equality keys
	SESSION          //! neither is right (or cheap enough): joined in the session
};

//! Chooses by the join's semantics first and the optimizer's estimates second. A side may be copied only if the join
//! does not have to know which of its rows found no partner anywhere (RIGHT/FULL for the right side, and so on).
//! `left_splits`, `right_splits`: the side is spread over workers (a side that is not must be copied).
JoinStrategy ChooseJoin(const duckdb::LogicalOperator &join, const PlannerOptions &options, bool left_splits,
                        bool right_splits);

//! Whether the tasks of a join may each read all of one side and a part of the other: no row of the copied side has to
//! know whether it found a partner anywhere.
bool MayCopyRight(const duckdb::LogicalOperator &join);
bool MayCopyLeft(const duckdb::LogicalOperator &join);

//! The expressions of the equality conditions, pairwise: left[i] = right[i].
struct JoinKeys {
	duckdb::vector<duckdb::reference<duckdb::Expression>> left;
	duckdb::vector<duckdb::reference<duckdb::Expression>> right;
};
JoinKeys EqualityKeys(duckdb::LogicalComparisonJoin &join);

//! Estimated bytes of an operator's output in memory.
uint64_t EstimatedBytes(duckdb::LogicalOperator &op);

} // namespace duckherder
