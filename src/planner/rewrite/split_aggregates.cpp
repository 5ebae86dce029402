#include "planner/rewrite/split_aggregates.hpp"

#include "compat/aggregates.hpp"
#include "compat/names.hpp"
#include "engine/aggregate_state.hpp"

#include "duckdb/planner/expression/bound_columnref_expression.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! min(min(x)) and the like: the same function merges its own results
bool MergesByItself(const BoundAggregateExpression &aggregate) {
	auto &name = FunctionName(aggregate.Function());
	auto exact_sum = name == "sum" && aggregate.GetReturnType().id() == LogicalTypeId::BIGNUM;
	if (name != "min" && name != "max" && name != "bit_and" && name != "bit_or" && name != "bit_xor" && !exact_sum) {
		return false;
	}
	return aggregate.GetChildren().size() == 1 && ArgumentsOf(aggregate.Function()).size() == 1 &&
	       aggregate.GetChildren()[0]->GetReturnType() == aggregate.GetReturnType() &&
	       ArgumentsOf(aggregate.Function())[0] == aggregate.GetReturnType();
}

bool CanSplit(const BoundAggregateExpression &aggregate) {
	if (aggregate.IsDistinct() || aggregate.GetOrderBys()) {
		return false;
	}
	return MergesByItself(aggregate) || HasPlainState(aggregate);
}

unique_ptr<Expression> ColumnOf(TableIndex table_index, idx_t column, const LogicalType &type,
                                const Identifier &alias) {
	return make_uniq<BoundColumnRefExpression>(alias, type, ColumnBinding(table_index, ProjectionIndex(column)));
}

} // namespace

bool CanSplitAggregate(const LogicalAggregate &aggregate) {
	if (aggregate.grouping_sets.size() > 1 || !aggregate.grouping_functions.empty()) {
		return false;
	}
	// one set that leaves out a group column would still need the original's bookkeeping
	if (aggregate.grouping_sets.size() == 1 && aggregate.grouping_sets[0].size() != aggregate.groups.size()) {
		return false;
	}
	for (auto &expression : aggregate.expressions) {
		if (expression->GetExpressionClass() != ExpressionClass::BOUND_AGGREGATE ||
		    !CanSplit(expression->Cast<BoundAggregateExpression>())) {
			return false;
		}
	}
	return true;
}

unique_ptr<LogicalAggregate> SplitAggregate(Binder &binder, LogicalAggregate &aggregate) {
	auto group_index = binder.GenerateTableIndex();
	auto aggregate_index = binder.GenerateTableIndex();

	vector<unique_ptr<Expression>> partials;
	vector<unique_ptr<Expression>> finals;
	for (auto &expression : aggregate.expressions) {
		auto &original = expression->Cast<BoundAggregateExpression>();
		auto column = partials.size();
		if (MergesByItself(original)) {
			auto merged = unique_ptr_cast<Expression, BoundAggregateExpression>(original.Copy());
			merged->GetChildrenMutable().clear();
			merged->GetChildrenMutable().push_back(
			    ColumnOf(aggregate_index, column, original.GetReturnType(), original.GetAlias()));
			merged->GetFilterMutable().reset();
			finals.push_back(std::move(merged));
			partials.push_back(original.Copy());
			continue;
		}
		partials.push_back(MakePartial(original));
		finals.push_back(
		    MakeFinal(original, ColumnOf(aggregate_index, column, LogicalType::BLOB, original.GetAlias())));
	}

	auto partial = make_uniq<LogicalAggregate>(group_index, aggregate_index, std::move(partials));
	partial->groupings_index = binder.GenerateTableIndex();
	vector<unique_ptr<Expression>> final_groups;
	for (idx_t i = 0; i < aggregate.groups.size(); i++) {
		auto &group = aggregate.groups[i];
		final_groups.push_back(ColumnOf(group_index, i, group->GetReturnType(), group->GetAlias()));
	}
	partial->groups = std::move(aggregate.groups);
	partial->grouping_sets = aggregate.grouping_sets;
	partial->distinct_validity = aggregate.distinct_validity;
	for (auto &stats : aggregate.group_stats) {
		partial->group_stats.push_back(stats ? stats->ToUnique() : nullptr);
	}
	partial->children = std::move(aggregate.children);
	if (aggregate.has_estimated_cardinality) {
		partial->SetEstimatedCardinality(aggregate.estimated_cardinality);
	}

	aggregate.children.clear();
	aggregate.groups = std::move(final_groups);
	aggregate.expressions = std::move(finals);
	aggregate.distinct_validity = TupleDataValidityType::CAN_HAVE_NULL_VALUES;
	return partial;
}

} // namespace duckherder
