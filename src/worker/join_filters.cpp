#include "worker/join_filters.hpp"

#include "engine/exchange_scan.hpp"

#include "duckdb/execution/operator/join/join_filter_pushdown.hpp"
#include "duckdb/optimizer/join_filter_pushdown_optimizer.hpp"
#include "duckdb/optimizer/optimizer.hpp"
#include "duckdb/planner/binder.hpp"
#include "duckdb/planner/operator/logical_comparison_join.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

bool HasJoin(const LogicalOperator &op) {
	if (op.type == LogicalOperatorType::LOGICAL_COMPARISON_JOIN) {
		return true;
	}
	for (auto &child : op.children) {
		if (HasJoin(*child)) {
			return true;
		}
	}
	return false;
}

bool ReadsExchange(const LogicalOperator &op) {
	if (op.type == LogicalOperatorType::LOGICAL_EXTENSION_OPERATOR) {
		return true;
	}
	for (auto &child : op.children) {
		if (ReadsExchange(*child)) {
			return true;
		}
	}
	return false;
}

//! DuckDB builds a bloom filter only if it sees a filter below the build side. Behind an exchange it cannot see one,
//! but one is likely: build sides without any are seldom worth moving.
void ExpectFilters(LogicalOperator &op) {
	if (op.type == LogicalOperatorType::LOGICAL_COMPARISON_JOIN) {
		auto &join = op.Cast<LogicalComparisonJoin>();
		if (join.filter_pushdown && ReadsExchange(*join.children[1])) {
			join.filter_pushdown->build_side_has_filter = true;
		}
	}
	for (auto &child : op.children) {
		ExpectFilters(*child);
	}
}

} // namespace

void ConnectJoinFilters(ClientContext &context, LogicalOperator &plan) {
	if (!HasJoin(plan)) {
		return;
	}
	auto binder = Binder::CreateBinder(context);
	Optimizer optimizer(*binder, context);
	JoinFilterPushdownOptimizer join_filters(optimizer);
	join_filters.VisitOperator(plan);
	ExpectFilters(plan);
}

} // namespace duckherder
