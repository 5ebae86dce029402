#include "compat/shown_filters.hpp"

#if DUCKHERDER_DUCKDB_MAJOR < 2
#include "duckdb/planner/filter/conjunction_filter.hpp"
#else
#include "duckdb/planner/expression/bound_conjunction_expression.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "duckdb/planner/filter/expression_filter.hpp"
#include "duckdb/planner/filter/table_filter_functions.hpp"
#endif

namespace duckherder {

using namespace duckdb;

#if DUCKHERDER_DUCKDB_MAJOR < 2

unique_ptr<TableFilter> NeededPartOf(const TableFilter &filter) {
	switch (filter.filter_type) {
	case TableFilterType::OPTIONAL_FILTER:
	case TableFilterType::DYNAMIC_FILTER:
	case TableFilterType::BLOOM_FILTER:
		return nullptr;
	case TableFilterType::CONJUNCTION_AND: {
		auto result = make_uniq<ConjunctionAndFilter>();
		for (auto &child : filter.Cast<ConjunctionAndFilter>().child_filters) {
			if (auto needed = NeededPartOf(*child)) {
				result->child_filters.push_back(std::move(needed));
			}
		}
		return result->child_filters.empty() ? nullptr : std::move(result);
	}
	default:
		return filter.Copy();
	}
}

std::string FilterText(const TableFilter &filter, const std::string &column) {
	return filter.ToString(column);
}

#else

namespace {

unique_ptr<Expression> NeededPartOf(const Expression &expression) {
	if (expression.GetExpressionClass() == ExpressionClass::BOUND_FUNCTION &&
	    TableFilterFunctions::IsTableFilterFunction(expression.Cast<BoundFunctionExpression>().Function())) {
		return nullptr;
	}
	if (expression.GetExpressionType() != ExpressionType::CONJUNCTION_AND) {
		return expression.Copy();
	}
	auto result = make_uniq<BoundConjunctionExpression>(ExpressionType::CONJUNCTION_AND);
	for (auto &child : expression.Cast<BoundConjunctionExpression>().GetChildren()) {
		if (auto needed = NeededPartOf(*child)) {
			result->GetChildrenMutable().push_back(std::move(needed));
		}
	}
	auto &children = result->GetChildrenMutable();
	if (children.size() > 1) {
		return result;
	}
	return children.empty() ? nullptr : std::move(children[0]);
}

} // namespace

unique_ptr<TableFilter> NeededPartOf(const TableFilter &filter) {
	auto &whole = filter.Cast<ExpressionFilter>();
	// one over several columns only rules out row groups
	auto needed = whole.column_indexes.empty() ? NeededPartOf(*whole.expr) : nullptr;
	return needed ? make_uniq<ExpressionFilter>(std::move(needed)) : nullptr;
}

std::string FilterText(const TableFilter &filter, const std::string &column) {
	return filter.Cast<ExpressionFilter>().ToString(column);
}

#endif

} // namespace duckherder
