#include "planner/place/join_traits.hpp"

#include "duckdb/planner/operator/logical_any_join.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

constexpr bool YES = true;
constexpr bool NO = false;

// clang-format off
//! In the order of JoinType
constexpr JoinTraits TRAITS[] = {
    // broadcast  shuffle  may lose rows  keeps keys
    // left right          left right     left right  bound
    {  NO,  NO,   NO,      NO,  NO,       NO,  NO,    JoinBound::NONE},      // INVALID
    {  NO,  YES,  YES,     NO,  YES,      YES, NO,    JoinBound::NONE},      // LEFT
    {  YES, NO,   YES,     YES, NO,       NO,  YES,   JoinBound::NONE},      // RIGHT
    {  YES, YES,  YES,     YES, YES,      YES, YES,   JoinBound::PRODUCT},   // INNER
    {  NO,  NO,   YES,     NO,  NO,       NO,  NO,    JoinBound::NONE},      // OUTER
    {  NO,  YES,  YES,     YES, YES,      YES, NO,    JoinBound::LEFT_ROWS}, // SEMI
    {  NO,  YES,  YES,     NO,  YES,      YES, NO,    JoinBound::LEFT_ROWS}, // ANTI
    // A NULL anywhere on the right side decides about all rows of a mark join, in every partition.
    {  NO,  YES,  NO,      NO,  NO,       NO,  NO,    JoinBound::LEFT_ROWS}, // MARK
    {  NO,  YES,  YES,     NO,  NO,       YES, NO,    JoinBound::LEFT_ROWS}, // SINGLE
    {  YES, NO,   YES,     YES, YES,      NO,  YES,   JoinBound::NONE},      // RIGHT_SEMI
    {  YES, NO,   YES,     YES, NO,       NO,  YES,   JoinBound::NONE},      // RIGHT_ANTI
};
// clang-format on

bool HasConditions(const LogicalOperator &join) {
	return join.type == LogicalOperatorType::LOGICAL_COMPARISON_JOIN ||
	       join.type == LogicalOperatorType::LOGICAL_ASOF_JOIN || join.type == LogicalOperatorType::LOGICAL_DELIM_JOIN;
}

//! Of an operator that joins
JoinType TypeOf(const LogicalOperator &join) {
	if (HasConditions(join)) {
		return join.Cast<LogicalComparisonJoin>().join_type;
	}
	return join.type == LogicalOperatorType::LOGICAL_ANY_JOIN ? join.Cast<LogicalAnyJoin>().join_type : JoinType::INNER;
}

} // namespace

const JoinTraits &TraitsOf(JoinType type) {
	auto position = static_cast<idx_t>(type);
	return TRAITS[position < std::size(TRAITS) ? position : static_cast<idx_t>(JoinType::INVALID)];
}

JoinTraits TraitsOf(const LogicalOperator &join) {
	auto traits = TraitsOf(TypeOf(join));
	if (join.type == LogicalOperatorType::LOGICAL_ASOF_JOIN) {
		// a left row takes the nearest of all right rows
		traits.may_broadcast_left = false;
		// DuckDB's own operator for RIGHT and FULL does not end if one of its partitions has rows on one side only
		traits.may_shuffle = traits.may_shuffle && traits.may_broadcast_right;
	}
	idx_t range_count = 0;
	traits.may_shuffle =
	    traits.may_shuffle && HasConditions(join) && join.Cast<LogicalComparisonJoin>().HasEquality(range_count);
	return traits;
}

bool IsEquality(const JoinCondition &condition) {
	return condition.IsComparison() && (condition.GetComparisonType() == ExpressionType::COMPARE_EQUAL ||
	                                    condition.GetComparisonType() == ExpressionType::COMPARE_NOT_DISTINCT_FROM);
}

} // namespace duckherder
