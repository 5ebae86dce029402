#include "engine/restrict_rows.hpp"

#include "compat/filters.hpp"
#include "compat/names.hpp"
#include "engine/key_order.hpp"

#include "duckdb/function/function_binder.hpp"
#include "duckdb/planner/expression/bound_comparison_expression.hpp"
#include "duckdb/planner/expression/bound_constant_expression.hpp"
#include "duckdb/planner/expression/bound_reference_expression.hpp"
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
	    BoundComparisonExpression::Create(ExpressionType::COMPARE_EQUAL, std::move(modulo), std::move(remainder)));
}

//! Where the scan, which has it, lists the column
idx_t PositionOf(const LogicalGet &get, column_t column) {
	auto &ids = get.GetColumnIds();
	auto found = std::find_if(ids.begin(), ids.end(),
	                          [&](const ColumnIndex &index) { return index.GetPrimaryIndex() == column; });
	return static_cast<idx_t>(found - ids.begin());
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
			result.push_back(CompareFilter(ExpressionType::COMPARE_GREATERTHANOREQUALTO, RowNumber(split.rows.start)));
		}
		if (split.rows.end != ROWS_UNBOUNDED) {
			result.push_back(CompareFilter(ExpressionType::COMPARE_LESSTHAN, RowNumber(split.rows.end)));
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
				get.projection_ids.emplace_back(i);
			}
		}
		get.AddColumnId(row_number);
	}
	for (auto &filter : filters) {
		PushFilter(get, PositionOf(get, row_number), std::move(filter));
	}
}

void RestrictKeys(LogicalGet &get, const KeyRange &keys) {
	if (keys.column >= get.returned_types.size() || !ScansColumn(get, keys.column)) {
		throw InternalException("The scan %s has no column %llu to be cut by", FunctionName(get.function), keys.column);
	}
	for (auto &[comparison, key] : ComparisonsOf(keys, get.returned_types[keys.column])) {
		PushFilter(get, PositionOf(get, keys.column), CompareFilter(comparison, key));
	}
}

} // namespace duckherder
