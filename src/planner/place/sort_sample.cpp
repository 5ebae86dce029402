#include "planner/place/sort_sample.hpp"

#include "compat/names.hpp"
#include "engine/copy_plan.hpp"
#include "planner/split/split_scans.hpp"

#include "duckdb/optimizer/optimizer.hpp"
#include "duckdb/optimizer/remove_unused_columns.hpp"
#include "duckdb/planner/operator/logical_projection.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! Of a plan that can be sampled
unique_ptr<LogicalOperator> CopyPlan(const LogicalOperator &op) {
	if (op.type == LogicalOperatorType::LOGICAL_GET) {
		auto &get = op.Cast<LogicalGet>();
		return CopyScan(get, get.bind_data->Copy());
	}
	return CopyStep(op, CopyPlan(*op.children[0]));
}

} // namespace

bool CanSample(const LogicalOperator &op) {
	switch (op.type) {
	case LogicalOperatorType::LOGICAL_GET:
		return ReaderOf(op.Cast<LogicalGet>()) == StageScan::Reader::WORKER;
	case LogicalOperatorType::LOGICAL_FILTER:
	case LogicalOperatorType::LOGICAL_PROJECTION:
		return CanSample(*op.children[0]);
	default:
		return false;
	}
}

unique_ptr<LogicalOperator> KeysOfRows(ClientContext &context, Binder &binder, const LogicalOperator &op,
                                       const vector<reference<Expression>> &keys) {
	vector<unique_ptr<Expression>> columns;
	for (auto &key : keys) {
		columns.push_back(key.get().Copy());
	}
	unique_ptr<LogicalOperator> plan = make_uniq<LogicalProjection>(binder.GenerateTableIndex(), std::move(columns));
	plan->children.push_back(CopyPlan(op));
	plan->ResolveOperatorTypes();
	Optimizer optimizer(binder, context);
	RemoveUnusedColumns remove(optimizer);
	VisitPlan(remove, plan);
	plan->ResolveOperatorTypes();
	return plan;
}

} // namespace duckherder
