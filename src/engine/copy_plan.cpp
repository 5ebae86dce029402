#include "engine/copy_plan.hpp"

#include "compat/filters.hpp"

#include "duckdb/planner/operator/logical_filter.hpp"
#include "duckdb/planner/operator/logical_projection.hpp"

namespace duckherder {

using namespace duckdb;

unique_ptr<LogicalGet> CopyScan(const LogicalGet &get, unique_ptr<FunctionData> bind_data) {
	auto copy = make_uniq<LogicalGet>(get.table_index, get.function, std::move(bind_data), get.returned_types,
	                                  get.names, get.virtual_columns);
	copy->SetColumnIds(vector<ColumnIndex>(get.GetColumnIds()));
	copy->projection_ids = get.projection_ids;
	copy->parameters = get.parameters;
	copy->named_parameters = get.named_parameters;
	CopyFilters(get.table_filters, copy->table_filters);
	copy->SetEstimatedCardinality(get.estimated_cardinality);
	return copy;
}

unique_ptr<LogicalOperator> CopyStep(const LogicalOperator &step, unique_ptr<LogicalOperator> child) {
	unique_ptr<LogicalOperator> copy;
	if (step.type == LogicalOperatorType::LOGICAL_FILTER) {
		auto filter = make_uniq<LogicalFilter>();
		filter->projection_map = step.Cast<LogicalFilter>().projection_map;
		copy = std::move(filter);
	} else {
		copy =
		    make_uniq<LogicalProjection>(step.Cast<LogicalProjection>().table_index, vector<unique_ptr<Expression>>());
	}
	for (auto &expression : step.expressions) {
		copy->expressions.push_back(expression->Copy());
	}
	copy->children.push_back(std::move(child));
	if (step.has_estimated_cardinality) {
		copy->SetEstimatedCardinality(step.estimated_cardinality);
	}
	return copy;
}

} // namespace duckherder
