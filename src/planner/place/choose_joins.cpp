#include "planner/place/choose_joins.hpp"

#include "planner/place/join_traits.hpp"
#include "planner/place/logical_exchange.hpp"

#include "duckdb/planner/operator/logical_get.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! A row of a string column: its string_t and a guess of what is outside of it
constexpr uint64_t STRING_BYTES = 32;

idx_t Rows(const LogicalOperator &op) {
	return EstimatedRows(op).value_or(1);
}

uint64_t RowWidth(LogicalOperator &op) {
	uint64_t width = 0;
	for (auto &type : op.types) {
		auto physical = type.InternalType();
		width += TypeIsConstantSize(physical) ? GetTypeIdSize(physical) : STRING_BYTES;
	}
	return MaxValue<uint64_t>(width, 1);
}

constexpr uint64_t UNBOUNDED = NumericLimits<uint64_t>::Maximum();

uint64_t Times(uint64_t left, uint64_t right) {
	return left > 0 && right > UNBOUNDED / left ? UNBOUNDED : left * right;
}

//! More rows than these an operator cannot give
uint64_t LargestRows(ClientContext &context, LogicalOperator &op) {
	switch (op.type) {
	case LogicalOperatorType::LOGICAL_GET: {
		auto &get = op.Cast<LogicalGet>();
		auto statistics = get.function.cardinality ? get.function.cardinality(context, get.bind_data.get()) : nullptr;
		if (!statistics) {
			return UNBOUNDED;
		}
		return statistics->has_max_cardinality         ? statistics->max_cardinality
		       : statistics->has_estimated_cardinality ? statistics->estimated_cardinality
		                                               : UNBOUNDED;
	}
	case LogicalOperatorType::LOGICAL_DUMMY_SCAN:
		return 1;
	case LogicalOperatorType::LOGICAL_CHUNK_GET:
		return Rows(op);
	case LogicalOperatorType::LOGICAL_PROJECTION:
	case LogicalOperatorType::LOGICAL_FILTER:
	case LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY:
	case LogicalOperatorType::LOGICAL_DISTINCT:
	case LogicalOperatorType::LOGICAL_ORDER_BY:
	case LogicalOperatorType::LOGICAL_LIMIT:
	case LogicalOperatorType::LOGICAL_TOP_N:
	case LogicalOperatorType::LOGICAL_WINDOW:
		return LargestRows(context, *op.children[0]);
	case LogicalOperatorType::LOGICAL_COMPARISON_JOIN:
	case LogicalOperatorType::LOGICAL_ANY_JOIN:
	case LogicalOperatorType::LOGICAL_CROSS_PRODUCT: {
		auto bound = TraitsOf(op).bound;
		auto left = bound == JoinBound::NONE ? UNBOUNDED : LargestRows(context, *op.children[0]);
		return bound == JoinBound::PRODUCT ? Times(left, LargestRows(context, *op.children[1])) : left;
	}
	default:
		return IsExchange(op) ? LargestRows(context, *op.children[0]) : UNBOUNDED;
	}
}

} // namespace

std::optional<idx_t> EstimatedRows(const LogicalOperator &op) {
	auto known = op.has_estimated_cardinality && op.type != LogicalOperatorType::LOGICAL_DELIM_JOIN;
	return known ? std::optional<idx_t>(op.estimated_cardinality) : std::nullopt;
}

uint64_t EstimatedBytes(LogicalOperator &op) {
	return Times(Rows(op), RowWidth(op));
}

uint64_t LargestBytes(ClientContext &context, LogicalOperator &op) {
	return Times(LargestRows(context, op), RowWidth(op));
}

JoinKeys EqualityKeys(LogicalComparisonJoin &join) {
	JoinKeys result;
	for (auto &condition : join.conditions) {
		if (IsEquality(condition)) {
			result.left.push_back(*condition.LeftReference());
			result.right.push_back(*condition.RightReference());
		}
	}
	return result;
}

void PutConditionsFirst(LogicalComparisonJoin &join, const vector<idx_t> &conditions) {
	vector<idx_t> equalities;
	for (idx_t i = 0; i < join.conditions.size(); i++) {
		if (IsEquality(join.conditions[i])) {
			equalities.push_back(i);
		}
	}
	vector<JoinCondition> ordered;
	vector<bool> taken(join.conditions.size(), false);
	for (auto number : conditions) {
		auto position = equalities.at(number);
		ordered.push_back(std::move(join.conditions[position]));
		taken[position] = true;
	}
	for (idx_t i = 0; i < join.conditions.size(); i++) {
		if (!taken[i]) {
			ordered.push_back(std::move(join.conditions[i]));
		}
	}
	join.conditions = std::move(ordered);
}

bool IsWorthBroadcasting(uint64_t bytes, uint64_t moved_bytes, const PlannerOptions &options) {
	// A copy is built into a hash table once per task, a shuffled row once; moving a row costs about the same either
	// way
	auto broadcasts = static_cast<double>(options.workers) * 2;
	return bytes <= options.broadcast_limit_bytes &&
	       static_cast<double>(bytes) * broadcasts <= static_cast<double>(moved_bytes) + static_cast<double>(bytes);
}

BroadcastSide FindBroadcastSide(const LogicalOperator &join) {
	auto traits = TraitsOf(join);
	auto left = traits.may_broadcast_left;
	auto right = traits.may_broadcast_right;
	if (left && right) {
		left = EstimatedBytes(*join.children[0]) < EstimatedBytes(*join.children[1]);
	}
	return left ? BroadcastSide::LEFT : right ? BroadcastSide::RIGHT : BroadcastSide::NONE;
}

JoinStrategy ChooseJoin(const LogicalOperator &join, const PlannerOptions &options, SidePlacement left_side,
                        SidePlacement right_side) {
	auto traits = TraitsOf(join);
	auto left_moves = left_side != SidePlacement::ANYWHERE;
	auto right_moves = right_side != SidePlacement::ANYWHERE;
	auto broadcast_right = left_moves && traits.may_broadcast_right;
	auto broadcast_left = right_moves && traits.may_broadcast_left;
	auto shuffle = left_moves && right_moves && traits.may_shuffle;

	auto left = EstimatedBytes(*join.children[0]);
	auto right = EstimatedBytes(*join.children[1]);
	if (!shuffle) {
		if (broadcast_right && (!broadcast_left || right <= left)) {
			return JoinStrategy::BROADCAST_RIGHT;
		}
		return broadcast_left ? JoinStrategy::BROADCAST_LEFT : JoinStrategy::SESSION;
	}
	auto moved =
	    (left_side == SidePlacement::IN_PLACE ? 0 : left) + (right_side == SidePlacement::IN_PLACE ? 0 : right);
	if (broadcast_right && IsWorthBroadcasting(right, moved, options)) {
		return JoinStrategy::BROADCAST_RIGHT;
	}
	if (broadcast_left && IsWorthBroadcasting(left, moved, options)) {
		return JoinStrategy::BROADCAST_LEFT;
	}
	return JoinStrategy::SHUFFLE;
}

} // namespace duckherder
