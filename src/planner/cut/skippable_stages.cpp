#include "planner/cut/skippable_stages.hpp"

#include "common/contains.hpp"
#include "planner/cut/stage_order.hpp"

#include "duckdb/planner/expression/bound_cast_expression.hpp"
#include "duckdb/planner/expression_iterator.hpp"
#include "duckdb/planner/logical_operator_visitor.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! Whether every value of one type has its like in the other
bool IsWidening(const LogicalType &from, const LogicalType &to) {
	if (from == to || (to.id() == LogicalTypeId::VARCHAR && !to.IsJSONType())) {
		return true;
	}
	return from.IsNumeric() && to.IsNumeric() && LogicalType::ForceMaxLogicalType(from, to) == to;
}

bool HasNarrowingCast(const Expression &expression) {
	if (expression.GetExpressionClass() == ExpressionClass::BOUND_CAST) {
		auto &cast = expression.Cast<BoundCastExpression>();
		if (!cast.try_cast && !IsWidening(cast.child->return_type, cast.return_type)) {
			return true;
		}
	}
	auto result = false;
	ExpressionIterator::EnumerateChildren(expression,
	                                      [&](const Expression &child) { result = result || HasNarrowingCast(child); });
	return result;
}

//! Some row may make it fail. DuckDB's own CanThrow believes that a cast to a larger type cannot, even if there is no
//! such cast.
bool MayFail(const Expression &expression) {
	return expression.CanThrow() || HasNarrowingCast(expression);
}

bool ExpressionsMayFail(LogicalOperator &op) {
	auto result = false;
	LogicalOperatorVisitor::EnumerateExpressions(
	    op, [&](unique_ptr<Expression> *expression) { result = result || MayFail(**expression); });
	return result;
}

bool MayFail(LogicalOperator &op) {
	return ExpressionsMayFail(op) ||
	       std::any_of(op.children.begin(), op.children.end(), [](auto &child) { return MayFail(*child); });
}

//! What makes the keys of a stage that has some to compute is its last operator.
bool ComputesKeys(const StagePlan &stage) {
	return stage.output.column_count > 0;
}

} // namespace

void HoldBackFailingKeys(const std::map<StageId, StageId> &skippable, vector<StagePlan> &stages) {
	for (auto &entry : skippable) {
		auto &stage = stages[entry.first];
		if (ComputesKeys(stage) && ExpressionsMayFail(*stage.fragment) && !WaitsFor(stages, entry.second, stage.id)) {
			WaitFor(stage, entry.second);
		}
	}
}

void SkipIfEmptyInput(const std::map<StageId, StageId> &skippable, vector<StagePlan> &stages) {
	for (auto &entry : skippable) {
		auto &stage = stages[entry.first];
		if (Contains(stage.after, entry.second)) {
			auto &below_keys = ComputesKeys(stage) ? *stage.fragment->children[0] : *stage.fragment;
			stage.skip_if_empty = SkipIfEmpty {entry.second, MayFail(below_keys)};
		}
	}
}

} // namespace duckherder
