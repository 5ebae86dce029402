#include "planner/choose_joins.hpp"

#include "duckdb/planner/operator/logical_any_join.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! A row of a string column: its string_t and a guess of what is outside of it
constexpr uint64_t STRING_BYTES = 32;

JoinType TypeOf(const LogicalOperator &op) {
	switch (op.type) {
	case LogicalOperatorType::LOGICAL_COMPARISON_JOIN:
	case LogicalOperatorType::LOGICAL_ASOF_JOIN:
		return op.Cast<LogicalComparisonJoin>().join_type;
	case LogicalOperatorType::LOGICAL_ANY_JOIN:
		return op.Cast<LogicalAnyJoin>().join_type;
	default:
		return JoinType::INNER;
	}
}

bool MayShuffle(const LogicalOperator &op) {
	if (op.type != LogicalOperatorType::LOGICAL_COMPARISON_JOIN && op.type != LogicalOperatorType::LOGICAL_ASOF_JOIN) {
		return false;
	}
	auto &join = op.Cast<LogicalComparisonJoin>();
	if (op.type == LogicalOperatorType::LOGICAL_ASOF_JOIN && !MayCopyRight(op)) {
		// DuckDB's own operator for RIGHT and FULL does not end if one of its partitions has rows on one side only
		return false;
	}
	// a NULL anywhere on the right side decides about all rows of a mark join, in every partition
	if (join.join_type == JoinType::MARK) {
		return false;
	}
	idx_t range_count = 0;
	return join.HasEquality(range_count);
}

idx_t Rows(LogicalOperator &op) {
	return op.has_estimated_cardinality ? op.estimated_cardinality : 1;
}

} // namespace

bool MayCopyRight(const LogicalOperator &op) {
	switch (TypeOf(op)) {
	case JoinType::INNER:
	case JoinType::LEFT:
	case JoinType::SEMI:
	case JoinType::ANTI:
	case JoinType::MARK:
	case JoinType::SINGLE:
		return true;
	default:
		return false;
	}
}

bool MayCopyLeft(const LogicalOperator &op) {
	if (op.type == LogicalOperatorType::LOGICAL_ASOF_JOIN) {
		// a left row takes the nearest of all right rows
		return false;
	}
	switch (TypeOf(op)) {
	case JoinType::INNER:
	case JoinType::RIGHT:
	case JoinType::RIGHT_SEMI:
	case JoinType::RIGHT_ANTI:
		return true;
	default:
		return false;
	}
}

uint64_t EstimatedBytes(LogicalOperator &op) {
	uint64_t width = 0;
	for (auto &type : op.types) {
		auto physical = type.InternalType();
		width += TypeIsConstantSize(physical) ? GetTypeIdSize(physical) : STRING_BYTES;
	}
	return Rows(op) * MaxValue<uint64_t>(width, 1);
}

JoinKeys EqualityKeys(LogicalComparisonJoin &join) {
	JoinKeys result;
	for (auto &condition : join.conditions) {
		if (condition.comparison == ExpressionType::COMPARE_EQUAL ||
		    condition.comparison == ExpressionType::COMPARE_NOT_DISTINCT_FROM) {
			result.left.push_back(*condition.left);
			result.right.push_back(*condition.right);
		}
	}
	return result;
}

JoinStrategy ChooseJoin(const LogicalOperator &join, const PlannerOptions &options, bool left_splits,
                        bool right_splits) {
	auto copy_right = left_splits && MayCopyRight(join);
	auto copy_left = right_splits && MayCopyLeft(join);
	auto shuffle = left_splits && right_splits && MayShuffle(join);

	// A copy is built into a hash table once per task, a shuffled row once; moving a row costs about the same either
	// way
	auto copies = static_cast<double>(options.workers) * 2;
	auto left = static_cast<double>(EstimatedBytes(*join.children[0]));
	auto right = static_cast<double>(EstimatedBytes(*join.children[1]));
	auto limit = static_cast<double>(options.broadcast_limit_bytes);

	if (!shuffle) {
		if (copy_right && (!copy_left || right <= left)) {
			return JoinStrategy::BROADCAST_RIGHT;
		}
		return copy_left ? JoinStrategy::BROADCAST_LEFT : JoinStrategy::SESSION;
	}
	if (copy_right && right <= limit && right * copies <= left + right * 2) {
		return JoinStrategy::BROADCAST_RIGHT;
	}
	if (copy_left && left <= limit && left * copies <= right + left * 2) {
		return JoinStrategy::BROADCAST_LEFT;
	}
	return JoinStrategy::SHUFFLE;
}

} // namespace duckherder
