#include "planner/place/check_support.hpp"

#include "compat/names.hpp"
#include "compat/types.hpp"
#include "engine/function_calls.hpp"
#include "engine/operator_traits.hpp"
#include "planner/rewrite/lake_scans.hpp"

#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/common/type_visitor.hpp"
#include "duckdb/planner/expression/bound_aggregate_expression.hpp"
#include "duckdb/planner/expression_iterator.hpp"
#include "duckdb/planner/operator/logical_comparison_join.hpp"
#include "duckdb/planner/operator/logical_cteref.hpp"
#include "duckdb/planner/operator/logical_distinct.hpp"
#include "duckdb/planner/operator/logical_get.hpp"
#include "duckdb/planner/operator/logical_insert.hpp"
#include "duckdb/planner/operator/logical_limit.hpp"
#include "duckdb/planner/operator/logical_sample.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

bool HoldsAggregateState(const LogicalType &type) {
	return TypeVisitor::Contains(type, AGGREGATE_STATE_ID);
}

string WhyNotThisExpression(Expression &expression) {
	if (expression.GetExpressionClass() == ExpressionClass::BOUND_SUBQUERY) {
		return "a subquery was not flattened";
	}
	if (HoldsAggregateState(expression.GetReturnType())) {
		return "exported states of aggregates do not travel";
	}
	string reason;
	ExpressionIterator::EnumerateChildren(
	    expression, [&](Expression &child) { reason = reason.empty() ? WhyNotThisExpression(child) : reason; });
	return reason;
}

//! Also in what is read, where no expression names it
string WhyNotTheseTypes(const LogicalOperator &op) {
	auto any = std::any_of(op.types.begin(), op.types.end(), HoldsAggregateState);
	return any ? "exported states of aggregates do not travel" : string();
}

bool DrawsRandomNumbers(LogicalOperator &op) {
	auto draws = op.type == LogicalOperatorType::LOGICAL_SAMPLE;
	VisitFunctions(op, [&](const FunctionCall &call) {
		draws = draws || TraitsOf(call.kind, call.name).reason == SessionReason::OF_SEED;
	});
	return draws;
}

//! Which rows a sample takes, and which number a row is given, follows from the order in which they come, and how many
//! at a time: a gather gives other chunks than the scan that it stands for.
string WhyNotSampled(LogicalOperator &op, bool seeded) {
	if (op.type == LogicalOperatorType::LOGICAL_SAMPLE && op.Cast<LogicalSample>().sample_options->seed.IsValid()) {
		return "a sample with a seed follows from the order in which this process reads the rows";
	}
	if (seeded && DrawsRandomNumbers(op)) {
		return "after setseed, random numbers follow from the order in which this process reads the rows";
	}
	return string();
}

//! DuckDB calls them order-dependent, as floating point numbers add up differently in another order. It adds them up in
//! any order itself, as soon as it uses two threads.
bool OnlyRoundingDependsOnOrder(const string &aggregate) {
	static const unordered_set<string> names = {
	    "sum",        "sum_no_overflow", "avg",      "mean",     "fsum",      "favg",         "sumkahan", "kahan_sum",
	    "product",    "stddev",          "variance", "corr",     "covar_pop", "covar_samp",   "sem",      "skewness",
	    "stddev_pop", "stddev_samp",     "var_pop",  "var_samp", "kurtosis",  "kurtosis_pop", "entropy"};
	return names.count(aggregate) > 0 || StringUtil::StartsWith(aggregate, "regr_");
}

string WhyNotThisKind(const LogicalOperator &op) {
	if (!TraitsOf(op.type).on_worker) {
		return LogicalOperatorToString(op.type) + " runs in the session";
	}
	if (op.type == LogicalOperatorType::LOGICAL_LIMIT) {
		auto &limit = op.Cast<LogicalLimit>();
		auto constant = [](LimitNodeType type) {
			return type == LimitNodeType::CONSTANT_VALUE || type == LimitNodeType::UNSET;
		};
		return constant(limit.limit_val.Type()) && constant(limit.offset_val.Type()) ? string()
		                                                                             : "LIMIT is not a constant";
	}
	return string();
}

} // namespace

string WhyNotOnWorker(ClientContext &context, LogicalOperator &op) {
	auto reason = WhyNotThisKind(op);
	if (reason.empty()) {
		reason = WhyNotTheseTypes(op);
	}
	auto ask = [&](const std::function<string()> &why_not) { reason = reason.empty() ? why_not() : reason; };
	VisitFunctions(op, [&](const FunctionCall &call) { ask([&] { return WhyNotCalledOnWorker(context, call); }); });
	VisitExpressions(op, [&](Expression &expression) { ask([&] { return WhyNotThisExpression(expression); }); });
	return reason;
}

namespace {

//! Whether the plan reads the table that it writes: tasks that start late would read new rows
bool ReadsTable(LogicalOperator &op, const TableCatalogEntry &table) {
	auto reads = op.type == LogicalOperatorType::LOGICAL_GET && op.Cast<LogicalGet>().GetTable().get() == &table;
	return reads ||
	       std::any_of(op.children.begin(), op.children.end(), [&](auto &child) { return ReadsTable(*child, table); });
}

} // namespace

bool OnlyPassesRowsOn(const LogicalOperator &op) {
	switch (op.type) {
	case LogicalOperatorType::LOGICAL_EXPLAIN:
	case LogicalOperatorType::LOGICAL_PREPARE:
	case LogicalOperatorType::LOGICAL_EXECUTE:
	case LogicalOperatorType::LOGICAL_INSERT:
	case LogicalOperatorType::LOGICAL_CREATE_TABLE:
	case LogicalOperatorType::LOGICAL_COPY_TO_FILE:
		return true;
	default:
		return false;
	}
}

string WhyNotDistributed(LogicalOperator &plan, bool seeded) {
	auto sampled = WhyNotSampled(plan, seeded);
	if (!sampled.empty()) {
		return sampled;
	}
	switch (plan.type) {
	case LogicalOperatorType::LOGICAL_INSERT: {
		auto &table = plan.Cast<LogicalInsert>().table;
		// of a lake it reads a snapshot
		if (table.catalog.GetCatalogType() != LAKE_CATALOG_TYPE && ReadsTable(plan, table)) {
			return "the statement reads the table that it fills";
		}
		break;
	}
	case LogicalOperatorType::LOGICAL_DELETE:
	case LogicalOperatorType::LOGICAL_UPDATE:
	case LogicalOperatorType::LOGICAL_MERGE_INTO:
		return "statements that change rows run in the session";
	case LogicalOperatorType::LOGICAL_CREATE_INDEX:
	case LogicalOperatorType::LOGICAL_COPY_DATABASE:
		return LogicalOperatorToString(plan.type) + " runs in the session";
	default:
		break;
	}
	for (auto &child : plan.children) {
		auto reason = WhyNotDistributed(*child, seeded);
		if (!reason.empty()) {
			return reason;
		}
	}
	return string();
}

bool ResultDependsOnInputOrder(const LogicalOperator &op, bool order_matters_above) {
	switch (op.type) {
	case LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY:
		for (auto &expression : op.expressions) {
			auto &aggregate = expression->Cast<BoundAggregateExpression>();
			if (aggregate.Function().GetOrderDependent() == AggregateOrderDependent::ORDER_DEPENDENT &&
			    !aggregate.GetOrderBys() && !OnlyRoundingDependsOnOrder(FunctionName(aggregate.Function()))) {
				return true;
			}
		}
		return false;
	case LogicalOperatorType::LOGICAL_ORDER_BY:
	case LogicalOperatorType::LOGICAL_TOP_N:
		// equal keys come in any order in DuckDB too once it runs in parallel
		return false;
	case LogicalOperatorType::LOGICAL_DISTINCT:
		return op.Cast<LogicalDistinct>().distinct_type == DistinctType::DISTINCT_ON;
	case LogicalOperatorType::LOGICAL_LIMIT:
	case LogicalOperatorType::LOGICAL_WINDOW:
	case LogicalOperatorType::LOGICAL_SAMPLE:
		return true;
	default:
		return order_matters_above;
	}
}

bool ReadInOrder(const LogicalOperator &op, TableIndex cte_index, bool order_matters_above) {
	if (op.type == LogicalOperatorType::LOGICAL_CTE_REF) {
		return order_matters_above && op.Cast<LogicalCTERef>().cte_index == cte_index;
	}
	auto below = ResultDependsOnInputOrder(op, order_matters_above);
	return std::any_of(op.children.begin(), op.children.end(),
	                   [&](auto &child) { return ReadInOrder(*child, cte_index, below); });
}

} // namespace duckherder
