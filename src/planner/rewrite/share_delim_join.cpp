#include "planner/rewrite/share_delim_join.hpp"

#include "compat/names.hpp"

#include "duckdb/optimizer/column_binding_replacer.hpp"
#include "duckdb/planner/expression/bound_columnref_expression.hpp"
#include "duckdb/planner/operator/logical_cteref.hpp"
#include "duckdb/planner/operator/logical_delim_get.hpp"
#include "duckdb/planner/operator/logical_materialized_cte.hpp"
#include "duckdb/planner/operator/logical_projection.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! The side whose rows are read twice, as a CTE
struct SharedSide {
	Binder &binder;
	TableIndex cte_index;
	unique_ptr<LogicalOperator> definition;
	vector<LogicalType> types;

	unique_ptr<LogicalCTERef> MakeScan() const {
		vector<Identifier> names;
		for (idx_t i = 0; i < types.size(); i++) {
			names.emplace_back("c" + to_string(i));
		}
		auto scan = make_uniq<LogicalCTERef>(binder.GenerateTableIndex(), cte_index, types, std::move(names));
		if (definition->has_estimated_cardinality) {
			scan->SetEstimatedCardinality(definition->estimated_cardinality);
		}
		scan->ResolveOperatorTypes();
		return scan;
	}

	//! DISTINCT of the columns by which the sides correlate, under the table index that their reader knows
	unique_ptr<LogicalDistinct> MakeDistinctScan(const LogicalComparisonJoin &join, LogicalOperator &delim_get) const {
		auto table_index = delim_get.Cast<LogicalDelimGet>().table_index;
		auto scan = MakeScan();
		auto bindings = definition->GetColumnBindings();
		vector<unique_ptr<Expression>> columns;
		vector<unique_ptr<Expression>> targets;
		for (auto &column : join.duplicate_eliminated_columns) {
			auto &binding = column->Cast<BoundColumnRefExpression>().Binding();
			auto position = std::find(bindings.begin(), bindings.end(), binding) - bindings.begin();
			targets.push_back(make_uniq<BoundColumnRefExpression>(
			    column->GetReturnType(), ColumnBinding(table_index, ProjectionIndex(columns.size()))));
			columns.push_back(make_uniq<BoundColumnRefExpression>(
			    column->GetReturnType(),
			    ColumnBinding(scan->table_index, ProjectionIndex(NumericCast<idx_t>(position)))));
		}
		auto projection = make_uniq<LogicalProjection>(table_index, std::move(columns));
		projection->children.push_back(std::move(scan));
		auto distinct = make_uniq<LogicalDistinct>(std::move(targets), DistinctType::DISTINCT);
		distinct->children.push_back(std::move(projection));
		distinct->SetEstimatedCardinality(delim_get.has_estimated_cardinality ? delim_get.estimated_cardinality : 1);
		distinct->ResolveOperatorTypes();
		return distinct;
	}
};

void ReplaceDelimScans(unique_ptr<LogicalOperator> &op, const LogicalComparisonJoin &join, const SharedSide &shared,
                       vector<reference<LogicalDistinct>> &scans) {
	if (op->type == LogicalOperatorType::LOGICAL_DELIM_GET) {
		auto scan = shared.MakeDistinctScan(join, *op);
		scans.push_back(*scan);
		op = std::move(scan);
		return;
	}
	for (auto &child : op->children) {
		ReplaceDelimScans(child, join, shared, scans);
	}
}

} // namespace

bool ContainsOperator(const LogicalOperator &op, LogicalOperatorType type) {
	return op.type == type || std::any_of(op.children.begin(), op.children.end(),
	                                      [&](auto &child) { return ContainsOperator(*child, type); });
}

bool CanShareDelimJoin(const LogicalComparisonJoin &join) {
	auto plain_columns =
	    std::all_of(join.duplicate_eliminated_columns.begin(), join.duplicate_eliminated_columns.end(),
	                [](auto &column) { return column->GetExpressionClass() == ExpressionClass::BOUND_COLUMN_REF; });
	auto &other = *join.children[1 - SourceOf(join)];
	return plain_columns && !ContainsOperator(other, LogicalOperatorType::LOGICAL_DELIM_JOIN) &&
	       !ContainsOperator(other, LogicalOperatorType::LOGICAL_RECURSIVE_CTE);
}

vector<reference<LogicalDistinct>> ShareDelimJoin(Binder &binder, LogicalOperator &root,
                                                  unique_ptr<LogicalOperator> &op) {
	auto &join = op->Cast<LogicalComparisonJoin>();
	auto &source = op->children[SourceOf(join)];
	auto &other = op->children[1 - SourceOf(join)];
	source->ResolveOperatorTypes();
	auto bindings = source->GetColumnBindings();
	auto types = source->types;
	SharedSide shared {binder, binder.GenerateTableIndex(), std::move(source), types};

	vector<reference<LogicalDistinct>> scans;
	ReplaceDelimScans(other, join, shared, scans);
	auto scan = shared.MakeScan();
	ColumnBindingReplacer replacer;
	for (idx_t i = 0; i < bindings.size(); i++) {
		replacer.replacement_bindings.emplace_back(bindings[i], ColumnBinding(scan->table_index, ProjectionIndex(i)));
	}
	source = std::move(scan);
	replacer.VisitOperator(root);

	join.duplicate_eliminated_columns.clear();
	if (join.join_type != JoinType::MARK) {
		join.mark_types.clear();
	}
	join.delim_flipped = false;
	op->type = LogicalOperatorType::LOGICAL_COMPARISON_JOIN;
	auto cte_index = shared.cte_index;
	op = make_uniq<LogicalMaterializedCTE>(Identifier("delim_" + to_string(IndexOf(cte_index))), cte_index,
	                                       bindings.size(), std::move(shared.definition), std::move(op),
	                                       CTEMaterialize::CTE_MATERIALIZE_ALWAYS);
	op->ResolveOperatorTypes();
	return scans;
}

} // namespace duckherder
