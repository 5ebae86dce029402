#include "compat/filters.hpp"

#if DUCKHERDER_DUCKDB_MAJOR >= 2

#include "duckdb/function/scalar/tablefilter_functions.hpp"
#include "duckdb/planner/expression/bound_conjunction_expression.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "duckdb/planner/expression/bound_reference_expression.hpp"
#include "duckdb/planner/expression_iterator.hpp"
#include "duckdb/planner/filter/expression_filter.hpp"
#include "duckdb/planner/filter/table_filter_functions.hpp"

namespace duckherder {

using namespace duckdb;

unique_ptr<TableFilter> CompareFilter(ExpressionType comparison, Value constant) {
	return ExpressionFilter::CreateComparisonFilter(comparison, std::move(constant));
}

unique_ptr<TableFilter> MayBeOneOfFilter(const LogicalType &type, vector<Value> values) {
	auto column = make_uniq<BoundReferenceExpression>(type, 0U);
	auto any_of = ExpressionFilter::CreateInExpression(std::move(column), std::move(values));
	return make_uniq<ExpressionFilter>(CreateOptionalFilterExpression(std::move(any_of), type));
}

void PushFilter(LogicalGet &get, idx_t position, unique_ptr<TableFilter> filter) {
	get.table_filters.PushFilter(ProjectionIndex(position), std::move(filter));
}

unique_ptr<TableFilter> CopyFilter(const TableFilter &filter) {
	return filter.Cast<ExpressionFilter>().Copy();
}

void CopyFilters(const TableFilterSet &filters, TableFilterSet &target) {
	target = std::move(*filters.Copy());
}

bool HasFilters(const TableFilterSet &filters) {
	return filters.HasFilters();
}

idx_t FilterCount(const TableFilterSet &filters) {
	return filters.FilterCount();
}

TableFilterSet FiltersByPosition(const LogicalGet &get) {
	return std::move(*get.table_filters.Copy());
}

std::optional<ColumnIndex> FilteredColumn(const LogicalGet &get, idx_t key) {
	if (key >= get.GetColumnIds().size()) {
		return std::nullopt;
	}
	return get.GetColumnIds()[key];
}

bool IsNeverTrue(const TableFilter &filter, BaseStatistics &statistics) {
	return filter.Cast<ExpressionFilter>().CheckStatistics(statistics) == FilterPropagateResult::FILTER_ALWAYS_FALSE;
}

void ForEachFilter(const TableFilterSet &filters, const std::function<void(idx_t key, TableFilter &filter)> &visit) {
	for (auto &entry : filters) {
		// as in 1.5, whose sets of filters give their filters away even if they are const
		visit(entry.GetIndex(), const_cast<TableFilter &>(entry.Filter()));
	}
	for (auto &filter : filters.GetMultiColumnFilters()) {
		visit(DConstants::INVALID_INDEX, *filter);
	}
}

void VisitFilterExpressions(TableFilter &filter, const std::function<void(Expression &)> &visit) {
	visit(*filter.Cast<ExpressionFilter>().expr);
}

namespace {

bool IsDynamic(const Expression &expression);

bool IsDynamicFunction(const Expression &expression) {
	if (expression.GetExpressionClass() != ExpressionClass::BOUND_FUNCTION) {
		return false;
	}
	auto &name = expression.Cast<BoundFunctionExpression>().Function().GetName();
	if (name == DynamicFilterScalarFun::NAME || name == BloomFilterScalarFun::NAME ||
	    name == PrefixRangeScalarFun::NAME) {
		return true;
	}
	// their children are in their bind data
	if (name == OptionalFilterScalarFun::NAME || name == SelectivityOptionalFilterScalarFun::NAME) {
		auto child = ExpressionFilter::GetOptionalFilterChild(expression);
		return !child || IsDynamic(*child);
	}
	return false;
}

bool IsDynamic(const Expression &expression) {
	auto result = IsDynamicFunction(expression);
	ExpressionIterator::EnumerateChildren(expression,
	                                      [&](const Expression &child) { result = result || IsDynamic(child); });
	return result;
}

//! Null if nothing is left. The parts of a conjunction go one by one: the others say which rows there are.
unique_ptr<Expression> WithoutDynamic(const Expression &expression) {
	if (!IsDynamic(expression)) {
		return expression.Copy();
	}
	if (IsDynamicFunction(expression)) {
		return nullptr;
	}
	if (expression.GetExpressionType() != ExpressionType::CONJUNCTION_AND) {
		throw NotImplementedException("The filter %s depends on what another operator finds", expression.ToString());
	}
	vector<unique_ptr<Expression>> kept;
	for (auto &part : expression.Cast<BoundConjunctionExpression>().GetChildren()) {
		if (auto left = WithoutDynamic(*part)) {
			kept.push_back(std::move(left));
		}
	}
	return kept.empty() ? nullptr
	                    : BoundConjunctionExpression::Create(ExpressionType::CONJUNCTION_AND, std::move(kept));
}

unique_ptr<TableFilter> WithoutDynamic(const TableFilter &filter) {
	auto &original = filter.Cast<ExpressionFilter>();
	auto left = WithoutDynamic(*original.expr);
	return left ? make_uniq<ExpressionFilter>(std::move(left), original.column_indexes) : nullptr;
}

} // namespace

void RemoveDynamicFilters(TableFilterSet &filters) {
	TableFilterSet kept;
	for (auto &entry : filters) {
		if (auto filter = WithoutDynamic(entry.Filter())) {
			kept.SetFilterByColumnIndex(entry.GetIndex(), std::move(filter));
		}
	}
	for (auto &filter : filters.GetMultiColumnFilters()) {
		if (auto left = WithoutDynamic(*filter)) {
			kept.PushMultiColumnFilter(std::move(left));
		}
	}
	filters = std::move(kept);
}

std::optional<TableFilterSet> ApplicableBelowCasts(const TableFilterSet &, const std::function<bool(idx_t)> &) {
	return std::nullopt;
}

} // namespace duckherder

#endif
