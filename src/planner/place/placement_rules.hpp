#pragma once

#include "planner/place/placement.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/operator/logical_aggregate.hpp"
#include "duckdb/planner/operator/logical_distinct.hpp"
#include "duckdb/planner/operator/logical_set_operation.hpp"

//! What follows for an operator from where its children are: one rule for each kind of operator. The rules look at
//! nothing else and change nothing.
namespace duckherder {

//! What holds for an operator because of those above it.
struct Above {
	//! Only the final gather is above: projections, ORDER BY, LIMIT, top-N
	bool only_final = true;
	bool order_matters = true;
	//! Only projections are above, and files that the workers write in order
	bool sorted_files = false;

	//! What holds for the children of `op`.
	Above Below(const duckdb::LogicalOperator &op, bool keeps_final) const;
};

//! A child whose rows the operator reads in the session.
void CloseForSession(OperatorPlacement &placed, duckdb::idx_t child, Placement child_placement, bool ordered);

OperatorPlacement PlaceAggregate(duckdb::LogicalAggregate &aggregate, const OperatorPlacement &child, Above above);
OperatorPlacement PlaceDistinct(duckdb::LogicalDistinct &distinct, const OperatorPlacement &child);
OperatorPlacement PlaceOrderOrLimit(duckdb::LogicalOperator &op, const OperatorPlacement &child, Above above);
OperatorPlacement PlaceWindow(duckdb::LogicalOperator &op, const OperatorPlacement &child, Above above);
OperatorPlacement PlaceSetOperation(duckdb::ClientContext &context, duckdb::LogicalSetOperation &op,
                                    const duckdb::vector<Placement> &children, Above above);

//! The two sides of a join.
struct JoinSides {
	const OperatorPlacement &left;
	const OperatorPlacement &right;
	//! The order of the rows of the sides matters
	bool order_matters;
	//! The right side is broadcast to whoever has rows of the left, which stay where and as they are
	bool is_fixed;
};
//! The columns by whose ranges both sides would have to be cut so that none has to move; nothing if there are none.
std::optional<Partitioning::ClusteredPair> CanBeAligned(duckdb::LogicalOperator &join, const JoinSides &sides);
OperatorPlacement PlaceJoin(duckdb::ClientContext &context, duckdb::LogicalOperator &join, const JoinSides &sides,
                            const PlannerOptions &options);

} // namespace duckherder
