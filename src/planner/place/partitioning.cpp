#include "planner/place/partitioning.hpp"

#include "common/contains.hpp"
#include "compat/names.hpp"
#include "compat/packing.hpp"
#include "planner/place/join_traits.hpp"

#include "duckdb/planner/expression/bound_columnref_expression.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! Which of the expressions is this column, as `as_column` sees it
template <class AS_COLUMN>
optional_idx Find(const vector<reference<Expression>> &expressions, const ColumnBinding &binding, AS_COLUMN as_column) {
	for (idx_t i = 0; i < expressions.size(); i++) {
		auto column = as_column(expressions[i]);
		if (column && *column == binding) {
			return i;
		}
	}
	return optional_idx();
}

//! Where each of the columns is among the expressions; empty if one is missing
vector<idx_t> FindAll(const vector<reference<Expression>> &expressions, const Partitioning::Columns &columns) {
	vector<idx_t> result;
	for (auto &column : columns) {
		auto position = Find(expressions, column, AsColumn);
		if (!position.IsValid()) {
			return {};
		}
		result.push_back(position.GetIndex());
	}
	return result;
}

//! The conditions that compare these columns; empty if one is missing, or compared twice: then the other side cannot be
//! partitioned alike by as many conditions
vector<idx_t> FindConditions(const vector<reference<Expression>> &keys, const Partitioning::Columns &columns) {
	auto result = FindAll(keys, columns);
	auto sorted = result;
	std::sort(sorted.begin(), sorted.end());
	auto twice = std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
	return twice ? vector<idx_t>() : result;
}

Partitioning::Columns Numbered(TableIndex table_index, const vector<idx_t> &positions) {
	Partitioning::Columns result;
	for (auto position : positions) {
		result.emplace_back(table_index, ProjectionIndex(position));
	}
	return result;
}

} // namespace

optional_ptr<const ColumnBinding> AsColumn(const Expression &expression) {
	if (expression.GetExpressionClass() != ExpressionClass::BOUND_COLUMN_REF) {
		return nullptr;
	}
	auto &column = expression.Cast<BoundColumnRefExpression>();
	return column.Depth() == 0 ? &column.Binding() : nullptr;
}

optional_ptr<const ColumnBinding> AsOneToOne(const Expression &expression) {
	if (expression.GetExpressionClass() != ExpressionClass::BOUND_FUNCTION) {
		return AsColumn(expression);
	}
	auto &function = expression.Cast<BoundFunctionExpression>();
	auto is_integral = function.GetReturnType().IsIntegral() && function.GetChildren()[0]->GetReturnType().IsIntegral();
	return is_integral && PackingOf(function) != Packing::NONE ? AsColumn(*function.GetChildren()[0]) : nullptr;
}

vector<reference<Expression>> References(const vector<unique_ptr<Expression>> &expressions) {
	vector<reference<Expression>> result;
	for (auto &expression : expressions) {
		result.push_back(*expression);
	}
	return result;
}

Partitioning::Partitioning(Columns columns) {
	alternatives.push_back(std::move(columns));
}

Partitioning Partitioning::By(const vector<reference<Expression>> &keys) {
	Columns columns;
	for (auto &key : keys) {
		auto column = AsColumn(key);
		if (!column) {
			return Partitioning();
		}
		columns.push_back(*column);
	}
	return columns.empty() ? Partitioning() : Partitioning(std::move(columns));
}

void Partitioning::AddClustered(const Clustered &column) {
	clustered.push_back(column);
}

Partitioning Partitioning::OnlyBy(const Clustered &column, const vector<idx_t> &aligned) const {
	Partitioning result;
	for (auto &other : clustered) {
		auto is_other_scan = other.table_index != column.table_index;
		if (is_other_scan ? Contains(aligned, other.table_index) : other.column == column.column) {
			result.AddClustered(other);
		}
	}
	return result;
}

optional_ptr<const Partitioning::Clustered>
Partitioning::FindClustered(const vector<reference<Expression>> &keys) const {
	for (auto &column : clustered) {
		if (Find(keys, column.binding, AsOneToOne).IsValid()) {
			return column;
		}
	}
	return nullptr;
}

std::optional<Partitioning::ClusteredPair> Partitioning::FindCompared(const Partitioning &left,
                                                                      const Partitioning &right, const JoinKeys &keys) {
	for (idx_t i = 0; i < keys.left.size(); i++) {
		auto of_left = left.FindClustered({keys.left[i]});
		auto of_right = right.FindClustered({keys.right[i]});
		if (of_left && of_right) {
			return ClusteredPair {*of_left, *of_right};
		}
	}
	return std::nullopt;
}

bool Partitioning::BringsTogether(const vector<reference<Expression>> &keys) const {
	return std::any_of(alternatives.begin(), alternatives.end(),
	                   [&](const Columns &columns) { return !FindAll(keys, columns).empty(); });
}

Partitioning Partitioning::Above(TableIndex table_index, const vector<reference<Expression>> &columns_above) const {
	Partitioning result;
	for (auto &columns : alternatives) {
		auto positions = FindAll(columns_above, columns);
		if (!positions.empty()) {
			result.alternatives.push_back(Numbered(table_index, positions));
		}
	}
	for (auto &column : clustered) {
		auto position = Find(columns_above, column.binding, AsOneToOne);
		if (position.IsValid()) {
			result.AddClustered(
			    {ColumnBinding(table_index, ProjectionIndex(position.GetIndex())), column.table_index, column.column});
		}
	}
	return result;
}

JoinMatch MatchPartitioning(const Partitioning &left, const Partitioning &right, const JoinKeys &keys) {
	JoinMatch result;
	for (auto &columns : left.Alternatives()) {
		auto conditions = FindConditions(keys.left, columns);
		if (conditions.empty()) {
			continue;
		}
		if (!result.left_in_place) {
			result.left_in_place = true;
			result.conditions = conditions;
		}
		for (auto &other : right.Alternatives()) {
			if (FindConditions(keys.right, other) == conditions) {
				result.right_in_place = true;
				result.conditions = std::move(conditions);
				return result;
			}
		}
	}
	if (result.left_in_place) {
		return result;
	}
	for (auto &columns : right.Alternatives()) {
		auto conditions = FindConditions(keys.right, columns);
		if (!conditions.empty()) {
			result.right_in_place = true;
			result.conditions = std::move(conditions);
			return result;
		}
	}
	for (idx_t i = 0; i < keys.left.size(); i++) {
		result.conditions.push_back(i);
	}
	return result;
}

Partitioning OfShuffledJoin(const LogicalComparisonJoin &join, const JoinKeys &keys) {
	Partitioning result;
	auto add = [&](const vector<reference<Expression>> &side) {
		auto partitioning = Partitioning::By(side);
		result.alternatives.insert(result.alternatives.end(), partitioning.alternatives.begin(),
		                           partitioning.alternatives.end());
	};
	auto &traits = TraitsOf(join.join_type);
	if (traits.keeps_left_keys) {
		add(keys.left);
	}
	if (traits.keeps_right_keys) {
		add(keys.right);
	}
	return result;
}

Partitioning OfAlignedJoin(const LogicalComparisonJoin &join, const Partitioning::ClusteredPair &by) {
	Partitioning result;
	auto &traits = TraitsOf(join.join_type);
	if (traits.keeps_left_keys) {
		result.AddClustered(by.left);
	}
	if (traits.keeps_right_keys) {
		result.AddClustered(by.right);
	}
	return result;
}

} // namespace duckherder
