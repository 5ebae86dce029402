#include "engine/function_calls.hpp"

#include "compat/aggregates.hpp"
#include "compat/filters.hpp"
#include "compat/names.hpp"

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/catalog/catalog_entry.hpp"
#include "duckdb/function/lambda_functions.hpp"
#include "duckdb/planner/expression/bound_aggregate_expression.hpp"
#include "duckdb/planner/expression/bound_constant_expression.hpp"
#include "duckdb/planner/expression/bound_window_expression.hpp"
#include "duckdb/planner/expression_iterator.hpp"
#include "duckdb/planner/logical_operator_visitor.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! What DuckDB and extensions register when they are loaded has this creation time; what is registered on a connection
//! later has that of a transaction, whose numbers start above it.
constexpr transaction_t SYSTEM_TRANSACTION = 1;

template <class FUNCTION>
FunctionCall CallOf(FunctionKind kind, const FUNCTION &function) {
	return {kind, FunctionName(function), CatalogOf(function), SchemaOf(function)};
}

//! Their second argument is the name of an aggregate
bool CallsByName(const string &function) {
	static const unordered_set<string> names = {"list_aggregate", "list_aggr", "array_aggregate", "array_aggr",
	                                            "aggregate"};
	return names.count(function) > 0;
}

void VisitFunction(BoundFunctionExpression &bound, const FunctionVisitor &visit) {
	visit(CallOf(FunctionKind::SCALAR, bound.Function()));
	if (auto lambda = LambdaOf(bound)) {
		VisitFunctions(*lambda, visit);
	}
	if (CallsByName(FunctionName(bound.Function())) && bound.GetChildren().size() > 1) {
		auto &name = *bound.GetChildren()[1];
		// DuckDB takes constants only; one that it has not folded yet is a name that nobody knows
		auto known = name.GetExpressionClass() == ExpressionClass::BOUND_CONSTANT;
		visit({FunctionKind::AGGREGATE,
		       known ? name.Cast<BoundConstantExpression>().GetValue().ToString() : name.ToString(), string(),
		       string()});
	}
}

} // namespace

optional_ptr<Expression> LambdaOf(BoundFunctionExpression &call) {
	auto data = dynamic_cast<ListLambdaBindData *>(call.BindInfo().get());
	return data ? data->lambda_expr.get() : nullptr;
}

void VisitFunctions(Expression &expression, const FunctionVisitor &visit) {
	switch (expression.GetExpressionClass()) {
	case ExpressionClass::BOUND_FUNCTION:
		VisitFunction(expression.Cast<BoundFunctionExpression>(), visit);
		break;
	case ExpressionClass::BOUND_AGGREGATE:
		visit(CallOf(FunctionKind::AGGREGATE, expression.Cast<BoundAggregateExpression>().Function()));
		break;
	case ExpressionClass::BOUND_WINDOW:
		if (auto &aggregate = AggregateOf(expression.Cast<BoundWindowExpression>())) {
			visit(CallOf(FunctionKind::AGGREGATE, *aggregate));
		}
		break;
	default:
		break;
	}
	ExpressionIterator::EnumerateChildren(expression, [&](Expression &child) { VisitFunctions(child, visit); });
}

void VisitExpressions(LogicalOperator &op, const std::function<void(Expression &)> &visit) {
	LogicalOperatorVisitor::EnumerateExpressions(op, [&](unique_ptr<Expression> *child) { visit(**child); });
	if (op.type == LogicalOperatorType::LOGICAL_GET) {
		ForEachFilter(op.Cast<LogicalGet>().table_filters,
		              [&](idx_t, TableFilter &filter) { VisitFilterExpressions(filter, visit); });
	}
}

void VisitFunctions(LogicalOperator &op, const FunctionVisitor &visit) {
	VisitExpressions(op, [&](Expression &expression) { VisitFunctions(expression, visit); });
}

bool CameWithDuckDB(ClientContext &context, const FunctionCall &call) {
	if ((!call.catalog.empty() && call.catalog != SYSTEM_CATALOG) ||
	    (!call.schema.empty() && call.schema != DEFAULT_SCHEMA)) {
		return false;
	}
	auto type = call.kind == FunctionKind::AGGREGATE ? CatalogType::AGGREGATE_FUNCTION_ENTRY
	                                                 : CatalogType::SCALAR_FUNCTION_ENTRY;
	auto entry = Catalog::GetEntry(context, SYSTEM_CATALOG, DEFAULT_SCHEMA,
	                               EntryLookupInfo(type, Identifier(call.name)), OnEntryNotFound::RETURN_NULL);
	return entry && entry->internal && entry->timestamp == SYSTEM_TRANSACTION;
}

std::string WhyNotCalledOnWorker(ClientContext &context, const FunctionCall &call) {
	auto subject = (call.kind == FunctionKind::AGGREGATE ? "the aggregate " : "the function ") + call.name + " ";
	if (!CameWithDuckDB(context, call)) {
		return subject + "exists only in this session";
	}
	auto traits = TraitsOf(call.kind, call.name);
	return traits.OnWorker() ? std::string() : subject + Describe(traits.reason);
}

} // namespace duckherder
