#include "planner/cut/may_fail.hpp"

#include "compat/names.hpp"

#include "duckdb/planner/expression/bound_cast_expression.hpp"
#include "duckdb/planner/expression_iterator.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! Whether every value of one type has its like in the other
bool IsWidening(const LogicalType &from, const LogicalType &to) {
	if (from == to || (to.id() == LogicalTypeId::VARCHAR && !to.IsJSONType())) {
		return true;
	}
	return from.IsNumeric() && to.IsNumeric() && WiderType(from, to) == to;
}

bool HasNarrowingCast(const Expression &expression) {
	auto source = SourceOfCast(expression);
	if (source && !IsWidening(*source, expression.GetReturnType())) {
		return true;
	}
	auto result = false;
	ExpressionIterator::EnumerateChildren(expression,
	                                      [&](const Expression &child) { result = result || HasNarrowingCast(child); });
	return result;
}

} // namespace

bool MayFail(const Expression &expression) {
	return expression.CanThrow() || HasNarrowingCast(expression);
}

} // namespace duckherder
