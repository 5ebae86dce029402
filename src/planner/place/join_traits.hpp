#pragma once

#include "duckdb.hpp"
#include "duckdb/planner/operator/logical_comparison_join.hpp"

namespace duckherder {

//! How many rows a join can give at most.
enum class JoinBound { LEFT_ROWS, PRODUCT, NONE };

//! What the semantics of a join allow where its rows are spread over tasks.
struct JoinTraits {
	//! The tasks of the join may each read all of one side and a part of the other: no row of the broadcast side has
	//! to know whether it found a partner anywhere.
	bool may_broadcast_left;
	bool may_broadcast_right;
	//! Rows may be brought together by the hash of the equality keys, if there are some.
	bool may_shuffle;
	//! Rows of this side without a partner change nothing in what the join returns, other than being left out
	//! themselves. They need not be sent. Where the right side is empty, DuckDB asks for no left row that may be lost.
	bool left_may_lose_rows;
	bool right_may_lose_rows;
	//! The keys of this side are among the columns of the result, where no row has NULL for them instead. So the result
	//! of a shuffled join is partitioned by them.
	bool keeps_left_keys;
	bool keeps_right_keys;
	JoinBound bound;
};

//! The traits of a type; of JoinType::INVALID nothing is allowed. Any thread may call it.
const JoinTraits &TraitsOf(duckdb::JoinType type);

//! The traits of an operator: those of its type, or less. Operators without a type, such as a cross product, are inner
//! joins. A join without an equality condition cannot be shuffled.
JoinTraits TraitsOf(const duckdb::LogicalOperator &join);

//! Whether a condition is one that the hash of its sides can decide.
bool IsEquality(const duckdb::JoinCondition &condition);

} // namespace duckherder
