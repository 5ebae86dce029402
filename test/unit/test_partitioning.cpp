#include "compat/names.hpp"
#include "planner/place/partitioning.hpp"

#include "duckdb/planner/expression/bound_columnref_expression.hpp"
#include "duckdb/planner/expression/bound_constant_expression.hpp"

#include <gtest/gtest.h>

namespace duckherder {
namespace {

using duckdb::BoundColumnRefExpression;
using duckdb::ColumnBinding;
using duckdb::Expression;
using duckdb::JoinType;

//! Expressions, written as "a.0 b.1 ?": columns of a table, and something that is more than a column
class Columns {
public:
	explicit Columns(const std::string &text) {
		for (auto &word : duckdb::StringUtil::Split(text, ' ')) {
			if (word == "?") {
				owned.push_back(duckdb::make_uniq<duckdb::BoundConstantExpression>(duckdb::Value(1)));
			} else {
				owned.push_back(duckdb::make_uniq<BoundColumnRefExpression>(
				    duckdb::LogicalType::INTEGER,
				    ColumnBinding(duckdb::idx_t(word[0] - 'a'), duckdb::idx_t(word[2] - '0'))));
			}
		}
	}

	duckdb::vector<duckdb::reference<Expression>> References() const {
		return duckherder::References(owned);
	}

private:
	duckdb::vector<duckdb::unique_ptr<Expression>> owned;
};

Partitioning By(const std::string &columns) {
	return columns.empty() ? Partitioning() : Partitioning::By(Columns(columns).References());
}

std::string Text(const Partitioning &partitioning) {
	std::string text;
	for (auto &columns : partitioning.Alternatives()) {
		text += text.empty() ? "" : " | ";
		for (size_t i = 0; i < columns.size(); i++) {
			text += (i > 0 ? " " : "") + std::string(1, char('a' + columns[i].table_index)) + "." +
			        std::to_string(columns[i].column_index);
		}
	}
	return text;
}

TEST(Partitioning, BringsTogetherWhatHasItsColumnsAmongTheKeys) {
	struct Row {
		const char *partitioned;
		const char *keys;
		bool together;
	};
	for (auto &row : {
	         Row {"a.0", "a.0", true},
	         Row {"a.0", "a.0 a.1", true},
	         Row {"a.0 a.1", "a.1 a.0", true},
	         Row {"a.0 a.1", "a.0", false},
	         Row {"a.0", "b.0", false},
	         Row {"", "a.0", false},
	         Row {"?", "?", false},
	     }) {
		Columns keys(row.keys);
		EXPECT_EQ(By(row.partitioned).BringsTogether(keys.References()), row.together)
		    << row.partitioned << " for " << row.keys;
	}
}

TEST(Partitioning, KeepsAboveAProjectionWhatThatShows) {
	struct Row {
		const char *partitioned;
		const char *shown;
		const char *above;
	};
	for (auto &row : {
	         Row {"a.0", "a.0", "z.0"},
	         Row {"a.0", "a.1 a.0", "z.1"},
	         Row {"a.0 a.1", "a.1 a.0", "z.1 z.0"},
	         Row {"a.0 a.1", "a.0", ""},
	         Row {"a.0", "?", ""},
	     }) {
		Columns shown(row.shown);
		EXPECT_EQ(Text(By(row.partitioned).Above('z' - 'a', shown.References())), row.above)
		    << row.partitioned << " below " << row.shown;
	}
}

TEST(Partitioning, MatchesTheSidesOfAJoin) {
	struct Row {
		const char *left;
		const char *right;
		//! Which sides need not move, and the conditions that the others are partitioned by
		const char *match;
	};
	// a.0 = b.0 AND a.1 = b.1
	Columns left("a.0 a.1");
	Columns right("b.0 b.1");
	for (auto &row : {
	         Row {"", "", "none 01"},
	         Row {"a.0", "", "left 0"},
	         Row {"", "b.1", "right 1"},
	         Row {"a.0", "b.0", "both 0"},
	         Row {"a.0", "b.1", "left 0"},
	         Row {"a.1 a.0", "b.1 b.0", "both 10"},
	         Row {"a.1 a.0", "b.0 b.1", "left 10"},
	         Row {"a.2", "", "none 01"},
	         Row {"a.0 a.0", "", "none 01"},
	     }) {
		auto match = MatchPartitioning(By(row.left), By(row.right), {left.References(), right.References()});
		std::string text = match.left_in_place ? (match.right_in_place ? "both " : "left ")
		                                       : (match.right_in_place ? "right " : "none ");
		for (auto condition : match.conditions) {
			text += std::to_string(condition);
		}
		EXPECT_EQ(text, row.match) << row.left << " with " << row.right;
	}
}

TEST(Partitioning, OfAShuffledJoinIsThatOfTheSidesWhoseKeysItKeeps) {
	struct Row {
		JoinType type;
		const char *partitioning;
	};
	Columns left("a.0");
	Columns right("b.0");
	for (auto &row : {
	         Row {JoinType::INNER, "a.0 | b.0"},
	         Row {JoinType::LEFT, "a.0"},
	         Row {JoinType::RIGHT, "b.0"},
	         Row {JoinType::OUTER, ""},
	         Row {JoinType::SEMI, "a.0"},
	         Row {JoinType::RIGHT_ANTI, "b.0"},
	         Row {JoinType::SINGLE, "a.0"},
	     }) {
		duckdb::LogicalComparisonJoin join(row.type);
		EXPECT_EQ(Text(OfShuffledJoin(join, {left.References(), right.References()})), row.partitioning);
	}
}

} // namespace
} // namespace duckherder
