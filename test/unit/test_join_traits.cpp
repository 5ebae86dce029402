#include "planner/place/join_traits.hpp"

#include "duckdb/common/enum_util.hpp"
#include "duckdb/planner/expression/bound_columnref_expression.hpp"
#include "duckdb/planner/operator/logical_any_join.hpp"
#include "duckdb/planner/operator/logical_cross_product.hpp"
#include "duckdb/planner/operator/logical_dummy_scan.hpp"

#include <gtest/gtest.h>

namespace duckherder {
namespace {

using duckdb::ExpressionType;
using duckdb::JoinType;
using duckdb::LogicalOperatorType;

//! What is allowed, as text: BL and BR broadcast a side, S shuffles, LL and LR lose rows of a side, KL and KR keep the
//! keys of a side.
std::string Allowed(const JoinTraits &traits) {
	std::string text;
	auto add = [&](bool allowed, const char *what) {
		text += allowed ? (text.empty() ? "" : " ") + std::string(what) : "";
	};
	add(traits.may_broadcast_left, "BL");
	add(traits.may_broadcast_right, "BR");
	add(traits.may_shuffle, "S");
	add(traits.left_may_lose_rows, "LL");
	add(traits.right_may_lose_rows, "LR");
	add(traits.keeps_left_keys, "KL");
	add(traits.keeps_right_keys, "KR");
	return text;
}

struct TypeCase {
	JoinType type;
	const char *allowed;
	JoinBound bound;
};

class JoinTypes : public testing::TestWithParam<TypeCase> {};

TEST_P(JoinTypes, AllowWhatTheirSemanticsAllow) {
	auto &traits = TraitsOf(GetParam().type);
	EXPECT_EQ(Allowed(traits), GetParam().allowed);
	EXPECT_EQ(traits.bound, GetParam().bound);
}

//! Whoever mirrors a join allows the same for the other side.
TEST(JoinTraits, OfMirroredTypesAreMirrored) {
	for (auto &pair :
	     {std::make_pair(JoinType::LEFT, JoinType::RIGHT), std::make_pair(JoinType::SEMI, JoinType::RIGHT_SEMI),
	      std::make_pair(JoinType::ANTI, JoinType::RIGHT_ANTI), std::make_pair(JoinType::INNER, JoinType::INNER),
	      std::make_pair(JoinType::OUTER, JoinType::OUTER)}) {
		auto &one = TraitsOf(pair.first);
		auto &other = TraitsOf(pair.second);
		EXPECT_EQ(one.may_broadcast_left, other.may_broadcast_right);
		EXPECT_EQ(one.may_broadcast_right, other.may_broadcast_left);
		EXPECT_EQ(one.may_shuffle, other.may_shuffle);
		EXPECT_EQ(one.left_may_lose_rows, other.right_may_lose_rows);
		EXPECT_EQ(one.right_may_lose_rows, other.left_may_lose_rows);
		EXPECT_EQ(one.keeps_left_keys, other.keeps_right_keys);
		EXPECT_EQ(one.keeps_right_keys, other.keeps_left_keys);
	}
}

INSTANTIATE_TEST_SUITE_P(Types, JoinTypes,
                         testing::Values(TypeCase {JoinType::INVALID, "", JoinBound::NONE},
                                         TypeCase {JoinType::LEFT, "BR S LR KL", JoinBound::NONE},
                                         TypeCase {JoinType::RIGHT, "BL S LL KR", JoinBound::NONE},
                                         TypeCase {JoinType::INNER, "BL BR S LL LR KL KR", JoinBound::PRODUCT},
                                         TypeCase {JoinType::OUTER, "S", JoinBound::NONE},
                                         TypeCase {JoinType::SEMI, "BR S LL LR KL", JoinBound::LEFT_ROWS},
                                         TypeCase {JoinType::ANTI, "BR S LR KL", JoinBound::LEFT_ROWS},
                                         TypeCase {JoinType::MARK, "BR", JoinBound::LEFT_ROWS},
                                         TypeCase {JoinType::SINGLE, "BR S KL", JoinBound::LEFT_ROWS},
                                         TypeCase {JoinType::RIGHT_SEMI, "BL S LL LR KR", JoinBound::NONE},
                                         TypeCase {JoinType::RIGHT_ANTI, "BL S LL KR", JoinBound::NONE}),
                         [](auto &row) { return duckdb::EnumUtil::ToString(row.param.type); });

struct OperatorCase {
	LogicalOperatorType op;
	JoinType type;
	ExpressionType comparison;
	const char *allowed;
};

std::unique_ptr<duckdb::LogicalOperator> MakeJoin(const OperatorCase &row) {
	auto column = [](duckdb::idx_t table) {
		return duckdb::make_uniq<duckdb::BoundColumnRefExpression>(duckdb::LogicalType::INTEGER,
		                                                           duckdb::ColumnBinding(table, 0));
	};
	switch (row.op) {
	case LogicalOperatorType::LOGICAL_CROSS_PRODUCT:
		return std::make_unique<duckdb::LogicalCrossProduct>(duckdb::make_uniq<duckdb::LogicalDummyScan>(0),
		                                                     duckdb::make_uniq<duckdb::LogicalDummyScan>(1));
	case LogicalOperatorType::LOGICAL_ANY_JOIN:
		return std::make_unique<duckdb::LogicalAnyJoin>(row.type);
	default: {
		auto join = std::make_unique<duckdb::LogicalComparisonJoin>(row.type, row.op);
		duckdb::JoinCondition condition;
		condition.comparison = row.comparison;
		condition.left = column(0);
		condition.right = column(1);
		join->conditions.push_back(std::move(condition));
		return join;
	}
	}
}

//! An operator allows what its type allows, or less.
TEST(JoinTraits, OfOperators) {
	auto comparison = LogicalOperatorType::LOGICAL_COMPARISON_JOIN;
	auto asof = LogicalOperatorType::LOGICAL_ASOF_JOIN;
	auto any = LogicalOperatorType::LOGICAL_ANY_JOIN;
	auto equal = ExpressionType::COMPARE_EQUAL;
	auto less = ExpressionType::COMPARE_LESSTHAN;
	for (auto &row : {
	         OperatorCase {comparison, JoinType::INNER, equal, "BL BR S LL LR KL KR"},
	         OperatorCase {comparison, JoinType::INNER, ExpressionType::COMPARE_NOT_DISTINCT_FROM,
	                       "BL BR S LL LR KL KR"},
	         OperatorCase {comparison, JoinType::INNER, less, "BL BR LL LR KL KR"},
	         OperatorCase {comparison, JoinType::MARK, equal, "BR"},
	         OperatorCase {asof, JoinType::INNER, equal, "BR S LL LR KL KR"},
	         OperatorCase {asof, JoinType::LEFT, equal, "BR S LR KL"},
	         OperatorCase {asof, JoinType::RIGHT, equal, "LL KR"},
	         OperatorCase {asof, JoinType::OUTER, equal, ""},
	         OperatorCase {any, JoinType::LEFT, equal, "BR LR KL"},
	         OperatorCase {LogicalOperatorType::LOGICAL_CROSS_PRODUCT, JoinType::INVALID, equal, "BL BR LL LR KL KR"},
	     }) {
		EXPECT_EQ(Allowed(TraitsOf(*MakeJoin(row))), row.allowed)
		    << duckdb::LogicalOperatorToString(row.op) << " " << duckdb::EnumUtil::ToString(row.type);
	}
}

} // namespace
} // namespace duckherder
