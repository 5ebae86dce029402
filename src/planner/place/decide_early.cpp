#include "planner/place/decide_early.hpp"

#include "common/text.hpp"
#include "compat/names.hpp"
#include "planner/place/plan_work.hpp"
#include "planner/place/worth_distributing.hpp"
#include "planner/rewrite/copy_write.hpp"
#include "planner/rewrite/lake_scans.hpp"
#include "planner/rewrite/lake_write.hpp"

#include "duckdb/planner/column_binding_map.hpp"
#include "duckdb/planner/expression/bound_columnref_expression.hpp"
#include "duckdb/planner/operator/logical_aggregate.hpp"
#include "duckdb/planner/operator/logical_get.hpp"
#include "duckdb/planner/operator/logical_order.hpp"
#include "duckdb/planner/operator/logical_projection.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! An estimate without the optimizer's knowledge may be wrong by this factor and still be relied on
constexpr double ROUGH_FACTOR = 2;

bool AnyOperator(LogicalOperator &op, const std::function<bool(LogicalOperator &)> &matches) {
	return matches(op) || std::any_of(op.children.begin(), op.children.end(),
	                                  [&](auto &child) { return AnyOperator(*child, matches); });
}

//! Nothing but filters, projections and sorts between the operator and a scan
bool ReadsScanDirectly(LogicalOperator &op) {
	reference<LogicalOperator> below = op;
	while (!below.get().children.empty()) {
		below = *below.get().children[0];
		switch (below.get().type) {
		case LogicalOperatorType::LOGICAL_GET:
			return true;
		case LogicalOperatorType::LOGICAL_PROJECTION:
		case LogicalOperatorType::LOGICAL_FILTER:
		case LogicalOperatorType::LOGICAL_ORDER_BY:
		case LogicalOperatorType::LOGICAL_LIMIT:
		case LogicalOperatorType::LOGICAL_WINDOW:
			break;
		default:
			return false;
		}
	}
	return false;
}

//! The columns of a plan that are only other names of columns below, and those of its scans
class ColumnOrigins {
public:
	explicit ColumnOrigins(LogicalOperator &plan) {
		Collect(plan);
	}

	bool IsOfScan(const Expression &expression) const {
		if (expression.GetExpressionType() != ExpressionType::BOUND_COLUMN_REF) {
			return false;
		}
		auto &binding = expression.Cast<BoundColumnRefExpression>().Binding();
		auto source = sources.find(binding);
		return source != sources.end() ? IsOfScan(source->second) : scans.count(binding.table_index) > 0;
	}

private:
	column_binding_map_t<reference<Expression>> sources;
	unordered_set<TableIndex> scans;

	void Collect(LogicalOperator &op) {
		if (op.type == LogicalOperatorType::LOGICAL_GET) {
			scans.insert(op.Cast<LogicalGet>().table_index);
		} else if (op.type == LogicalOperatorType::LOGICAL_PROJECTION) {
			Add(op.Cast<LogicalProjection>().table_index, op.expressions);
		} else if (op.type == LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY) {
			Add(op.Cast<LogicalAggregate>().group_index, op.Cast<LogicalAggregate>().groups);
		}
		for (auto &child : op.children) {
			Collect(*child);
		}
	}

	void Add(TableIndex table_index, vector<unique_ptr<Expression>> &expressions) {
		for (idx_t i = 0; i < expressions.size(); i++) {
			sources.emplace(ColumnBinding(table_index, ProjectionIndex(i)), *expressions[i]);
		}
	}
};

//! A LIMIT over an ORDER BY whose first key is a column of a scan
bool OrdersByScan(LogicalOperator &limit, const ColumnOrigins &origins) {
	reference<LogicalOperator> below = *limit.children[0];
	while (below.get().type == LogicalOperatorType::LOGICAL_PROJECTION) {
		below = *below.get().children[0];
	}
	return below.get().type == LogicalOperatorType::LOGICAL_ORDER_BY &&
	       origins.IsOfScan(*below.get().Cast<LogicalOrder>().orders[0].expression);
}

//! How many pairs of rows these look at is only known when filters have become conditions of joins.
bool HasUnknownPairs(LogicalOperator &plan) {
	return AnyOperator(plan, [](LogicalOperator &op) {
		return op.type == LogicalOperatorType::LOGICAL_CROSS_PRODUCT ||
		       op.type == LogicalOperatorType::LOGICAL_ANY_JOIN ||
		       op.type == LogicalOperatorType::LOGICAL_RECURSIVE_CTE;
	});
}

string WhyNotFaster(const Machines &machines) {
	return Counted(machines.workers, "worker") + " with " + Counted(machines.worker_threads, "thread") +
	       " would not be faster than this session's own " + Counted(machines.session_threads, "thread");
}

} // namespace

bool MayWriteFiles(ClientContext &context, LogicalOperator &plan, const PlannerOptions &options) {
	return AnyOperator(plan, [&](LogicalOperator &op) {
		return FillsLakeTable(context, op) || CopiesToManyFiles(context, op, options);
	});
}

bool ReadsLake(LogicalOperator &plan) {
	return AnyOperator(plan, [](LogicalOperator &op) {
		return op.type == LogicalOperatorType::LOGICAL_GET && IsLakeScan(op.Cast<LogicalGet>());
	});
}

bool HasRewritesForOneNode(LogicalOperator &plan) {
	ColumnOrigins origins(plan);
	return AnyOperator(plan, [&](LogicalOperator &op) {
		switch (op.type) {
		case LogicalOperatorType::LOGICAL_LIMIT:
		case LogicalOperatorType::LOGICAL_TOP_N:
			return ReadsScanDirectly(op) || OrdersByScan(op, origins);
		case LogicalOperatorType::LOGICAL_SAMPLE:
		case LogicalOperatorType::LOGICAL_WINDOW:
			return ReadsScanDirectly(op);
		default:
			return false;
		}
	});
}

string WhyDoneAtOnce(ClientContext &context, LogicalOperator &plan, const PlannerOptions &options) {
	auto &machines = *options.machines;
	if (HasUnknownPairs(plan) || MayWriteFiles(context, plan, options)) {
		return string();
	}
	auto work = RoughWorkOf(context, plan, options);
	auto is_done = !NeedsMemoryOfWorkers(work, machines) &&
	               ROUGH_FACTOR * SessionTime(work, machines) < LeastWorkersTime(1, machines);
	return is_done ? Judge(work, machines).reason : string();
}

EarlyDecision DecideEarly(ClientContext &context, LogicalOperator &plan, const PlannerOptions &options) {
	auto &machines = *options.machines;
	if (MayWriteFiles(context, plan, options)) {
		return {EarlyDecision::Where::LATER, ""};
	}
	auto work = RoughWorkOf(context, plan, options);
	// where the files of a lake are is not known yet
	auto may_wait_for_store = work.store_bytes > 0 || ReadsLake(plan);
	if (!NeedsMemoryOfWorkers(work, machines) && !CouldBeFaster(machines) && !may_wait_for_store) {
		return {EarlyDecision::Where::SESSION, WhyNotFaster(machines)};
	}
	if (!HasRewritesForOneNode(plan)) {
		return {EarlyDecision::Where::LATER, ""};
	}
	auto verdict = Judge(work, machines);
	return {verdict.distribute ? EarlyDecision::Where::WORKERS : EarlyDecision::Where::SESSION, verdict.reason};
}

} // namespace duckherder
