#include "extension/column_names.hpp"

#include "compat/names.hpp"
#include "compat/packing.hpp"
#include "engine/aggregate_state.hpp"
#include "engine/exchange_scan.hpp"

#include "duckdb/planner/expression/bound_aggregate_expression.hpp"
#include "duckdb/planner/expression/bound_columnref_expression.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "duckdb/planner/expression_iterator.hpp"
#include "duckdb/planner/operator/list.hpp"

#include <algorithm>

namespace duckherder {

using namespace duckdb;

namespace {

//! DuckDB's optimizer makes columns smaller and larger again; the column stays the same to people.
bool IsCompression(const Expression &expression) {
	return PackingOf(expression) != Packing::NONE && !expression.Cast<BoundFunctionExpression>().GetChildren().empty();
}

const Expression *WithoutCompression(const Expression *expression) {
	while (IsCompression(*expression)) {
		expression = expression->Cast<BoundFunctionExpression>().GetChildren()[0].get();
	}
	return expression;
}

//! Takes the parts of an aggregate together, each of which `part` is called.
bool IsFinal(const BoundAggregateExpression &aggregate, const string &part) {
	return FunctionName(aggregate.Function()) == FINAL_AGGREGATE_NAME ||
	       StringUtil::StartsWith(part, FunctionName(aggregate.Function()) + "(");
}

//! What the query, or DuckDB for it, calls a column: "revenue", not "sum((price * (1 - discount)))".
bool IsPlainName(const string &name) {
	return !name.empty() && std::all_of(name.begin(), name.end(),
	                                    [](char c) { return StringUtil::CharacterIsAlphaNumeric(c) || c == '_'; });
}

} // namespace

string ColumnNames::Of(const ColumnBinding &binding) const {
	auto entry = names.find(binding);
	return entry == names.end() ? string() : entry->second;
}

string ColumnNames::Of(const Expression &expression) const {
	auto &shown = *WithoutCompression(&expression);
	if (shown.GetExpressionClass() == ExpressionClass::BOUND_AGGREGATE) {
		auto &aggregate = shown.Cast<BoundAggregateExpression>();
		auto part = aggregate.GetChildren().size() == 1 ? Of(*aggregate.GetChildren()[0]) : string();
		if (IsFinal(aggregate, part)) {
			return part;
		}
	}
	auto copy = shown.Copy();
	GiveNames(*copy);
	return copy->ToString();
}

void ColumnNames::GiveNames(Expression &expression) const {
	if (expression.GetExpressionClass() == ExpressionClass::BOUND_COLUMN_REF) {
		auto name = Of(expression.Cast<BoundColumnRefExpression>().Binding());
		if (!name.empty()) {
			expression.SetAlias(Identifier(name));
		}
	} else if (expression.GetExpressionClass() == ExpressionClass::BOUND_AGGREGATE) {
		auto &aggregate = expression.Cast<BoundAggregateExpression>();
		RenameFunction(aggregate.FunctionMutable(), StringUtil::Replace(OriginalName(aggregate), "_no_overflow", ""));
	}
	ExpressionIterator::EnumerateChildren(expression, [&](Expression &child) { GiveNames(child); });
}

string ColumnNames::OfOutput(const StagePlan &stage, idx_t column) const {
	auto bindings = stage.fragment->GetColumnBindings();
	auto name = column < bindings.size() ? Of(bindings[column]) : string();
	return name.empty() ? "#" + to_string(column) : name;
}

void ColumnNames::Add(TableIndex table_index, const vector<unique_ptr<Expression>> &expressions) {
	for (idx_t i = 0; i < expressions.size(); i++) {
		auto &expression = *expressions[i];
		auto alias = NameText(expression.GetAlias());
		auto named = IsPlainName(alias) && !IsCompression(expression);
		names[ColumnBinding(table_index, ProjectionIndex(i))] = named ? alias : Of(expression);
	}
}

void ColumnNames::LearnScan(LogicalGet &get) {
	auto &columns = get.GetColumnIds();
	for (idx_t i = 0; i < columns.size(); i++) {
		names[ColumnBinding(get.table_index, ProjectionIndex(i))] = NameText(get.GetColumnName(columns[i]));
	}
}

void ColumnNames::LearnRenamed(const vector<ColumnBinding> &bindings, const vector<ColumnBinding> &sources) {
	for (idx_t i = 0; i < MinValue(bindings.size(), sources.size()); i++) {
		auto name = Of(sources[i]);
		if (!name.empty()) {
			names.emplace(bindings[i], name);
		}
	}
}

void ColumnNames::LearnOperator(LogicalOperator &op) {
	switch (op.type) {
	case LogicalOperatorType::LOGICAL_GET:
		LearnScan(op.Cast<LogicalGet>());
		break;
	case LogicalOperatorType::LOGICAL_PROJECTION:
		Add(op.Cast<LogicalProjection>().table_index, op.expressions);
		break;
	case LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY:
		Add(op.Cast<LogicalAggregate>().group_index, op.Cast<LogicalAggregate>().groups);
		Add(op.Cast<LogicalAggregate>().aggregate_index, op.expressions);
		break;
	case LogicalOperatorType::LOGICAL_WINDOW:
		Add(op.Cast<LogicalWindow>().window_index, op.expressions);
		break;
	case LogicalOperatorType::LOGICAL_UNNEST:
		Add(op.Cast<LogicalUnnest>().unnest_index, op.expressions);
		break;
	case LogicalOperatorType::LOGICAL_UNION:
	case LogicalOperatorType::LOGICAL_EXCEPT:
	case LogicalOperatorType::LOGICAL_INTERSECT:
		LearnRenamed(op.GetColumnBindings(), op.children[0]->GetColumnBindings());
		break;
	case LogicalOperatorType::LOGICAL_COMPARISON_JOIN:
	case LogicalOperatorType::LOGICAL_DELIM_JOIN:
	case LogicalOperatorType::LOGICAL_ANY_JOIN:
		if (op.Cast<LogicalJoin>().join_type == JoinType::MARK) {
			names[ColumnBinding(op.Cast<LogicalJoin>().mark_index, ProjectionIndex(0))] = "matched";
		}
		break;
	case LogicalOperatorType::LOGICAL_CHUNK_GET:
	case LogicalOperatorType::LOGICAL_EXPRESSION_GET:
		for (auto &binding : op.GetColumnBindings()) {
			names[binding] = "value";
		}
		break;
	case LogicalOperatorType::LOGICAL_CTE_REF: {
		auto &reference = op.Cast<LogicalCTERef>();
		for (idx_t i = 0; i < reference.bound_columns.size(); i++) {
			names[ColumnBinding(reference.table_index, ProjectionIndex(i))] = NameText(reference.bound_columns[i]);
		}
		break;
	}
	default:
		break;
	}
}

void ColumnNames::Learn(LogicalOperator &op, const DistributedPlan *plan) {
	for (auto &child : op.children) {
		Learn(*child, plan);
	}
	auto scan = dynamic_cast<LogicalExchangeScan *>(&op);
	if (scan && plan && !scan->source.is_feed) {
		LearnRenamed(scan->bindings, plan->stages[scan->source.stage].fragment->GetColumnBindings());
	}
	LearnOperator(op);
}

void ColumnNames::Learn(const DistributedPlan &plan, const StagePlan &stage) {
	if (stage.scan && stage.scan->feed_scan) {
		LearnScan(*stage.scan->feed_scan);
		for (auto &step : stage.scan->feed_steps) {
			LearnOperator(*step);
		}
	}
	Learn(*stage.fragment, &plan);
}

} // namespace duckherder
