#include "planner/rewrite/inline_constants.hpp"

#include "compat/aggregates.hpp"

#include "duckdb/execution/expression_executor.hpp"
#include "duckdb/planner/expression/bound_columnref_expression.hpp"
#include "duckdb/planner/expression/bound_constant_expression.hpp"
#include "duckdb/planner/expression_iterator.hpp"
#include "duckdb/planner/operator/logical_aggregate.hpp"
#include "duckdb/planner/operator/logical_projection.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

unique_ptr<Expression> ConstantBehind(ClientContext &context, const LogicalOperator &op, const Expression &expression);

//! What is computed for the column, if it is the same for all rows of all operators between; else null
unique_ptr<Expression> ConstantOf(ClientContext &context, const LogicalOperator &op, const ColumnBinding &binding) {
	optional_ptr<const vector<unique_ptr<Expression>>> computed;
	switch (op.type) {
	case LogicalOperatorType::LOGICAL_PROJECTION:
		if (op.Cast<LogicalProjection>().table_index == binding.table_index) {
			computed = op.expressions;
		}
		break;
	case LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY: {
		auto &aggregate = op.Cast<LogicalAggregate>();
		// a set that leaves out the column has NULL there
		if (aggregate.group_index == binding.table_index && aggregate.grouping_sets.size() <= 1) {
			computed = aggregate.groups;
		}
		break;
	}
	case LogicalOperatorType::LOGICAL_FILTER:
	case LogicalOperatorType::LOGICAL_ORDER_BY:
		return ConstantOf(context, *op.children[0], binding);
	default:
		break;
	}
	return computed ? ConstantBehind(context, *op.children[0], *computed->at(binding.column_index)) : nullptr;
}

//! Puts what is known to be constant in the place of columns. False if another column is left.
bool ReplaceColumns(ClientContext &context, const LogicalOperator &op, unique_ptr<Expression> &expression) {
	if (expression->GetExpressionClass() == ExpressionClass::BOUND_COLUMN_REF) {
		auto constant = ConstantOf(context, op, expression->Cast<BoundColumnRefExpression>().Binding());
		if (constant) {
			expression = std::move(constant);
		}
		return expression->GetExpressionClass() == ExpressionClass::BOUND_CONSTANT;
	}
	auto all = true;
	ExpressionIterator::EnumerateChildren(
	    *expression, [&](unique_ptr<Expression> &child) { all = all && ReplaceColumns(context, op, child); });
	return all;
}

//! Null unless the expression, whose columns are those of `op`, has the same value for all rows. The optimizer may have
//! made a constant smaller below and large again above.
unique_ptr<Expression> ConstantBehind(ClientContext &context, const LogicalOperator &op, const Expression &expression) {
	auto copy = expression.Copy();
	if (!ReplaceColumns(context, op, copy) || !copy->IsFoldable()) {
		return nullptr;
	}
	Value value;
	if (!ExpressionExecutor::TryEvaluateScalar(context, *copy, value)) {
		return nullptr;
	}
	return make_uniq<BoundConstantExpression>(std::move(value));
}

} // namespace

void InlineConstantsIntoAggregates(ClientContext &context, LogicalOperator &plan) {
	if (!BINDING_KEEPS_CONSTANTS) {
		return;
	}
	for (auto &child : plan.children) {
		InlineConstantsIntoAggregates(context, *child);
	}
	if (plan.type != LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY) {
		return;
	}
	for (auto &expression : plan.expressions) {
		if (expression->GetExpressionClass() != ExpressionClass::BOUND_AGGREGATE) {
			continue;
		}
		for (auto &argument : expression->Cast<BoundAggregateExpression>().GetChildrenMutable()) {
			if (argument->GetExpressionClass() != ExpressionClass::BOUND_COLUMN_REF) {
				continue;
			}
			if (auto constant = ConstantBehind(context, *plan.children[0], *argument)) {
				argument = std::move(constant);
			}
		}
	}
}

} // namespace duckherder
