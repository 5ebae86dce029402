#include "planner/place/sort_sample.hpp"

#include "planner/split/split_scans.hpp"

#include "duckdb/optimizer/optimizer.hpp"
#include "duckdb/optimizer/remove_unused_columns.hpp"
#include "duckdb/planner/operator/logical_filter.hpp"
#include "duckdb/planner/operator/logical_get.hpp"
#include "duckdb/planner/operator/logical_projection.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

vector<unique_ptr<Expression>> CopyOf(const vector<unique_ptr<Expression>> &expressions) {
	vector<unique_ptr<Expression>> result;
	for (auto &expression : expressions) {
		result.push_back(expression->Copy());
	}
	return result;
}

//! Through serialization, as LogicalOperator::Copy does it, the scan would be bound again.
unique_ptr<LogicalOperator> CopyScan(const LogicalGet &get) {
	auto copy = make_uniq<LogicalGet>(get.table_index, get.function, get.bind_data->Copy(), get.returned_types,
	                                  get.names, get.virtual_columns);
	copy->SetColumnIds(vector<ColumnIndex>(get.GetColumnIds()));
	copy->projection_ids = get.projection_ids;
	copy->table_filters = std::move(*get.table_filters.Copy());
	copy->parameters = get.parameters;
	copy->named_parameters = get.named_parameters;
	return copy;
}

unique_ptr<LogicalOperator> CopyPlan(const LogicalOperator &op) {
	unique_ptr<LogicalOperator> copy;
	switch (op.type) {
	case LogicalOperatorType::LOGICAL_GET:
		copy = CopyScan(op.Cast<LogicalGet>());
		break;
	case LogicalOperatorType::LOGICAL_FILTER: {
		auto filter = make_uniq<LogicalFilter>();
		filter->expressions = CopyOf(op.expressions);
		filter->projection_map = op.Cast<LogicalFilter>().projection_map;
		copy = std::move(filter);
		break;
	}
	default:
		copy = make_uniq<LogicalProjection>(op.Cast<LogicalProjection>().table_index, CopyOf(op.expressions));
		break;
	}
	for (auto &child : op.children) {
		copy->children.push_back(CopyPlan(*child));
	}
	if (op.has_estimated_cardinality) {
		copy->SetEstimatedCardinality(op.estimated_cardinality);
	}
	return copy;
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
	RemoveUnusedColumns(optimizer).VisitOperator(*plan);
	plan->ResolveOperatorTypes();
	return plan;
}

} // namespace duckherder
