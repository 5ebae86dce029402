#pragma once

#include "planner/interface/planner_options.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/operator/logical_comparison_join.hpp"

#include <optional>

namespace duckherder {

enum class JoinStrategy {
	BROADCAST_RIGHT, //! the left side stays where it is, every task gets the whole right side
	BROADCAST_LEFT,  //! the other way round
	SHUFFLE,         //! both sides by hash of the equality keys
	SESSION          //! neither is right (or cheap enough): joined in the session
};

//! Where the rows of a join's side are.
enum class SidePlacement {
	ANYWHERE, //! at one place or everywhere: to meet the other side they must be broadcast
	SPREAD,   //! over the workers
	IN_PLACE  //! over the workers, and partitioned as the join needs it
};

//! Chooses by the join's semantics first and the optimizer's estimates second. A side may be broadcast only if the join
//! does not have to know which of its rows found no partner anywhere (RIGHT/FULL for the right side, and so on).
JoinStrategy ChooseJoin(const duckdb::LogicalOperator &join, const PlannerOptions &options, SidePlacement left,
                        SidePlacement right);

//! Whether a side of so many bytes is better broadcast to all tasks than both sides partitioned; `moved_bytes`: what
//! partitioning would send.
bool IsWorthBroadcasting(uint64_t bytes, uint64_t moved_bytes, const PlannerOptions &options);

//! The side of a shuffled join that may be broadcast instead once its size is known, if any: the smaller one of those
//! that the join allows.
enum class BroadcastSide { NONE, LEFT, RIGHT };
BroadcastSide FindBroadcastSide(const duckdb::LogicalOperator &join);

//! The expressions of the equality conditions, pairwise: left[i] = right[i].
struct JoinKeys {
	duckdb::vector<duckdb::reference<duckdb::Expression>> left;
	duckdb::vector<duckdb::reference<duckdb::Expression>> right;
};
JoinKeys EqualityKeys(duckdb::LogicalComparisonJoin &join);

//! Puts the equality conditions with these numbers (among the equality conditions) first, in this order.
void PutConditionsFirst(duckdb::LogicalComparisonJoin &join, const duckdb::vector<duckdb::idx_t> &conditions);

//! What the optimizer expects of an operator. It says nothing of a CTE, which a delim join becomes.
std::optional<duckdb::idx_t> EstimatedRows(const duckdb::LogicalOperator &op);
//! Estimated bytes of an operator's output in memory.
uint64_t EstimatedBytes(duckdb::LogicalOperator &op);
//! More than these bytes it cannot be, as far as can be told from the sizes of tables (strings are estimated)
uint64_t LargestBytes(duckdb::ClientContext &context, duckdb::LogicalOperator &op);

} // namespace duckherder
