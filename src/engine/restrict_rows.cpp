#include "engine/restrict_rows.hpp"

#include "engine/key_order.hpp"

#include "duckdb/function/function_binder.hpp"
#include "duckdb/planner/expression/bound_comparison_expression.hpp"
#include "duckdb/planner/expression/bound_constant_expression.hpp"
#include "duckdb/planner/expression/bound_reference_expression.hpp"
#include "duckdb/planner/filter/constant_filter.hpp"
#include "duckdb/planner/filter/expression_filter.hpp"

#include <algorithm>

namespace duckherder {

using namespace duckdb;

namespace {

Value RowNumber(uint64_t row) {
	return Value::BIGINT(NumericCast<int64_t>(row));
}

unique_ptr<TableFilter> ModuloFilter(ClientContext &context, const ModuloSplit &split) {
	vector<unique_ptr<Expression>> operands;
	operands.push_back(make_uniq<BoundReferenceExpression>(LogicalType::ROW_TYPE, 0U));
	operands.push_back(make_uniq<BoundConstantExpression>(RowNumber(split.modulus)));
	FunctionBinder binder(context);
	ErrorData error;
	auto modulo = binder.BindScalarFunction(DEFAULT_SCHEMA, "%", std::move(operands), error, true);
	if (error.HasError()) {
		error.Throw();
	}
	auto remainder = make_uniq<BoundConstantExpression>(RowNumber(split.remainder));
	return make_uniq<ExpressionFilter>(
	    make_uniq<BoundComparisonExpression>(ExpressionType::COMPARE_EQUAL, std::move(modulo), std::move(remainder)));
}

//! The filters on the row number that select the rows of a split, by its kind
struct RowFilters {
	ClientContext &context;

	using Filters = vector<unique_ptr<TableFilter>>;

	Filters operator()(const PartitionSplit &) const {
		return {};
	}
	Filters operator()(const RowsSplit &split) const {
		Filters result;
		if (split.rows.start > 0) {
			result.push_back(
			    make_uniq<ConstantFilter>(ExpressionType::COMPARE_GREATERTHANOREQUALTO, RowNumber(split.rows.start)));
		}
		if (split.rows.end != ROWS_UNBOUNDED) {
			result.push_back(make_uniq<ConstantFilter>(ExpressionType::COMPARE_LESSTHAN, RowNumber(split.rows.end)));
		}
		return result;
	}
	Filters operator()(const ModuloSplit &split) const {
		Filters result;
		result.push_back(ModuloFilter(context, split));
		return result;
	}
	Filters operator()(const FileSplit &) const {
		return {};
	}
	Filters operator()(const FeedSplit &) const {
		return {};
	}
};

} // namespace

bool ScansColumn(const LogicalGet &get, column_t column) {
	auto &column_ids = get.GetColumnIds();
	return std::any_of(column_ids.begin(), column_ids.end(),
	                   [&](const ColumnIndex &index) { return index.GetPrimaryIndex() == column; });
}

void RestrictRows(ClientContext &context, LogicalGet &get, column_t row_number, const ScanSplit &split) {
	auto filters = std::visit(RowFilters {context}, split.part);
	if (!filters.empty() && !ScansColumn(get, row_number)) {
		if (get.projection_ids.empty()) {
			// Empty means all columns: from here on all but the new one.
			for (idx_t i = 0; i < get.GetColumnIds().size(); i++) {
				get.projection_ids.push_back(i);
			}
		}
		get.AddColumnId(row_number);
	}
	for (auto &filter : filters) {
		get.table_filters.PushFilter(ColumnIndex(row_number), std::move(filter));
	}
}

void RestrictKeys(LogicalGet &get, const KeyRange &keys) {
	if (keys.column >= get.returned_types.size() || !ScansColumn(get, keys.column)) {
		throw InternalException("The scan %s has no column %llu to be cut by", get.function.name, keys.column);
	}
	for (auto &[comparison, key] : ComparisonsOf(keys, get.returned_types[keys.column])) {
		get.table_filters.PushFilter(ColumnIndex(keys.column), make_uniq<ConstantFilter>(comparison, key));
	}
}

} // namespace duckherder
