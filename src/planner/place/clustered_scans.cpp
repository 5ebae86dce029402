#include "planner/place/clustered_scans.hpp"

#include "compat/names.hpp"
#include "engine/bound_scan.hpp"
#include "planner/place/partitioning.hpp"
#include "planner/split/split_scans.hpp"

#include "duckdb/planner/column_binding_map.hpp"
#include "duckdb/planner/expression/bound_window_expression.hpp"
#include "duckdb/planner/operator/logical_aggregate.hpp"
#include "duckdb/planner/operator/logical_comparison_join.hpp"
#include "duckdb/planner/operator/logical_distinct.hpp"
#include "duckdb/planner/operator/logical_projection.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

using Bindings = column_binding_set_t;

//! Goes down with the columns that operators above have as keys, by the names that they have here.
class KeyFinder {
public:
	KeyFinder(ClientContext &context_p, const PlannerOptions &options_p, ClusteredScans &result_p)
	    : context(context_p), options(options_p), result(result_p) {
	}

	void Visit(LogicalOperator &op, Bindings keys) {
		switch (op.type) {
		case LogicalOperatorType::LOGICAL_PROJECTION:
			AddShown(keys, op.Cast<LogicalProjection>().table_index, op.expressions);
			break;
		case LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY:
			Add(keys, op.Cast<LogicalAggregate>().groups);
			break;
		case LogicalOperatorType::LOGICAL_DISTINCT:
			Add(keys, op.Cast<LogicalDistinct>().distinct_targets);
			break;
		case LogicalOperatorType::LOGICAL_WINDOW:
			Add(keys, op.expressions[0]->Cast<BoundWindowExpression>().Partitions());
			break;
		case LogicalOperatorType::LOGICAL_DELIM_JOIN:
			Add(keys, op.Cast<LogicalComparisonJoin>().duplicate_eliminated_columns);
			AddCompared(keys, op.Cast<LogicalComparisonJoin>());
			break;
		case LogicalOperatorType::LOGICAL_COMPARISON_JOIN:
		case LogicalOperatorType::LOGICAL_ASOF_JOIN:
			AddCompared(keys, op.Cast<LogicalComparisonJoin>());
			break;
		case LogicalOperatorType::LOGICAL_GET:
			AddScan(op.Cast<LogicalGet>(), keys);
			break;
		default:
			break;
		}
		for (auto &child : op.children) {
			Visit(*child, keys);
		}
	}

private:
	ClientContext &context;
	const PlannerOptions &options;
	ClusteredScans &result;

	static void Add(Bindings &keys, const vector<unique_ptr<Expression>> &expressions) {
		for (auto &expression : expressions) {
			if (auto column = AsOneToOne(*expression)) {
				keys.insert(*column);
			}
		}
	}

	static void AddCompared(Bindings &keys, LogicalComparisonJoin &join) {
		auto compared = EqualityKeys(join);
		for (auto side : {&compared.left, &compared.right}) {
			for (auto &expression : *side) {
				if (auto column = AsOneToOne(expression)) {
					keys.insert(*column);
				}
			}
		}
	}

	//! What is a key above is one below, under the name that it has there
	static void AddShown(Bindings &keys, TableIndex table_index, const vector<unique_ptr<Expression>> &expressions) {
		for (idx_t i = 0; i < expressions.size(); i++) {
			auto column =
			    keys.count(ColumnBinding(table_index, ProjectionIndex(i))) > 0 ? AsOneToOne(*expressions[i]) : nullptr;
			if (column) {
				keys.insert(*column);
			}
		}
	}

	void AddScan(LogicalGet &get, const Bindings &keys) {
		if (!IsParquetScan(get) || !WhyNotSplit(context, get).empty() || ReaderOf(get) != StageScan::Reader::WORKER ||
		    get.estimated_cardinality < options.min_rows) {
			return;
		}
		vector<idx_t> candidates;
		for (auto &binding : get.GetColumnBindings()) {
			auto &column = get.GetColumnIds()[binding.column_index];
			if (keys.count(binding) > 0 && !column.HasChildren()) {
				candidates.push_back(column.GetPrimaryIndex());
			}
		}
		if (candidates.empty()) {
			return;
		}
		try {
			FailExtractionForTests();
			if (auto clusters = FindClusters(context, get, candidates, options)) {
				result[IndexOf(get.table_index)] = std::move(clusters);
			}
		} catch (const std::exception &) {
			// then rows meet by exchange, and whoever needs the metadata says what is wrong with it
		}
	}
};

} // namespace

ClusteredScans FindClusteredScans(ClientContext &context, LogicalOperator &plan, const PlannerOptions &options) {
	ClusteredScans result;
	KeyFinder(context, options, result).Visit(plan, {});
	return result;
}

} // namespace duckherder
