#include "planner/place/placement.hpp"

#include "common/contains.hpp"
#include "compat/names.hpp"
#include "planner/place/check_support.hpp"
#include "planner/place/placement_rules.hpp"
#include "planner/rewrite/copy_write.hpp"
#include "planner/rewrite/lake_write.hpp"
#include "planner/rewrite/share_delim_join.hpp"
#include "planner/split/split_scans.hpp"

#include "duckdb/planner/operator/logical_cteref.hpp"
#include "duckdb/planner/operator/logical_delim_get.hpp"
#include "duckdb/planner/operator/logical_materialized_cte.hpp"
#include "duckdb/planner/operator/logical_projection.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

string RunsInSession(const LogicalOperator &op) {
	return LogicalOperatorToString(op.type) + " runs in the session";
}

//! The columns by which the scan can be cut, as they are seen above it
Partitioning PartitioningOf(LogicalGet &get, const ClusteredScans &clustered) {
	Partitioning partitioning;
	auto found = clustered.find(IndexOf(get.table_index));
	if (found == clustered.end()) {
		return partitioning;
	}
	for (auto &binding : get.GetColumnBindings()) {
		auto column = get.GetColumnIds()[binding.column_index].GetPrimaryIndex();
		if (found->second->columns.count(column) > 0) {
			partitioning.AddClustered({binding, IndexOf(get.table_index), column});
		}
	}
	return partitioning;
}

//! Whether some of the values by which the sides of a delim join correlate, or rows that were made with them, leave the
//! task.
bool MovesDelimScan(const PlanPlacement &placement, const LogicalOperator &op) {
	auto found = placement.operators.find(&op);
	if (found == placement.operators.end()) {
		return true;
	}
	for (idx_t i = 0; i < op.children.size(); i++) {
		auto has_values = ContainsOperator(*op.children[i], LogicalOperatorType::LOGICAL_DELIM_GET);
		if (has_values && (found->second.exchanges.count(i) > 0 || MovesDelimScan(placement, *op.children[i]))) {
			return true;
		}
	}
	return false;
}

//! Goes down with what holds because of the operators above, and up with what the rules say.
class PlacementAnalysis {
public:
	PlacementAnalysis(ClientContext &context_p, const PlannerOptions &options_p,
	                  const unordered_set<const LogicalOperator *> &fixed_joins_p, const ClusteredScans &clustered_p)
	    : context(context_p), options(options_p), fixed_joins(fixed_joins_p), clustered(clustered_p) {
	}

	PlanPlacement Run(LogicalOperator &plan) {
		if (OnWorkers(Visit(plan, Above()).placement)) {
			result.root_exchange = NeededExchange {ExchangeKind::RESULT, true, {}};
		}
		return std::move(result);
	}

private:
	ClientContext &context;
	const PlannerOptions &options;
	const unordered_set<const LogicalOperator *> &fixed_joins;
	const ClusteredScans &clustered;
	PlanPlacement result;
	//! CTEs whose rows stay with the workers that made them, and where a scan of them is
	unordered_map<TableIndex, Placement> shared_ctes;
	//! The delim join below which the analysis is, if its source becomes a shared CTE
	optional_ptr<LogicalComparisonJoin> shared_delim_join;
	//! The one below which it is, if each task joins what it has
	optional_ptr<LogicalComparisonJoin> local_delim_join;

	const OperatorPlacement &Visit(LogicalOperator &op, Above above) {
		auto placed = Place(op, above);
		placed.order_matters = above.order_matters;
		if (result.reason.empty()) {
			result.reason = placed.reason;
		}
		if (placed.in_place_by) {
			result.in_place.CutBy(*placed.in_place_by);
		}
		if (!placed.merge_strategy.empty()) {
			result.merge_strategy = placed.merge_strategy;
		}
		return result.operators.emplace(&op, std::move(placed)).first->second;
	}

	//! The source of a shared delim join has been visited already, and what stands there is a scan of a shared CTE.
	OperatorPlacement VisitChild(LogicalOperator &op, idx_t child, Above above) {
		auto is_shared = &op == shared_delim_join.get() && child == SourceOf(*shared_delim_join);
		return is_shared ? OperatorPlacement(Placement::WORKERS) : Visit(*op.children[child], above);
	}

	OperatorPlacement Place(LogicalOperator &op, Above above) {
		switch (op.type) {
		case LogicalOperatorType::LOGICAL_MATERIALIZED_CTE:
			return PlaceCTE(op.Cast<LogicalMaterializedCTE>(), above);
		case LogicalOperatorType::LOGICAL_CTE_REF: {
			auto shared = shared_ctes.find(op.Cast<LogicalCTERef>().cte_index);
			if (shared != shared_ctes.end()) {
				return shared->second;
			}
			break;
		}
		case LogicalOperatorType::LOGICAL_DELIM_JOIN:
			return PlaceDelimJoin(op.Cast<LogicalComparisonJoin>(), above);
		case LogicalOperatorType::LOGICAL_DELIM_GET:
			if (local_delim_join) {
				return PlaceLocalDelimScan(op.Cast<LogicalDelimGet>());
			}
			if (shared_delim_join) {
				return PlaceDelimScan(op);
			}
			break;
		default:
			break;
		}
		auto reason = WhyNotOnWorker(context, op);
		if (reason.empty()) {
			return PlaceByKind(op, above);
		}
		auto fills_lake = FillsLakeTable(context, op);
		return fills_lake || CopiesToManyFiles(context, op, options) ? PlaceWrite(op, above, fills_lake)
		                                                             : PlaceInSession(op, above, reason);
	}

	//! An operator that workers can run
	OperatorPlacement PlaceByKind(LogicalOperator &op, Above above) {
		switch (op.type) {
		case LogicalOperatorType::LOGICAL_GET:
			return PlaceGet(op.Cast<LogicalGet>());
		case LogicalOperatorType::LOGICAL_CHUNK_GET:
		case LogicalOperatorType::LOGICAL_EMPTY_RESULT:
		case LogicalOperatorType::LOGICAL_DUMMY_SCAN:
			return Placement::ANYWHERE;
		case LogicalOperatorType::LOGICAL_PROJECTION: {
			auto &child = Visit(*op.children[0], above.Below(op, true));
			auto table_index = op.Cast<LogicalProjection>().table_index;
			return {child.placement, child.partitioning.Above(table_index, References(op.expressions))};
		}
		case LogicalOperatorType::LOGICAL_FILTER:
		case LogicalOperatorType::LOGICAL_UNNEST:
		case LogicalOperatorType::LOGICAL_EXPRESSION_GET: {
			auto &child = Visit(*op.children[0], above.Below(op, false));
			return {child.placement, child.partitioning};
		}
		case LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY:
			return PlaceAggregate(op.Cast<LogicalAggregate>(), Visit(*op.children[0], above.Below(op, false)), above);
		case LogicalOperatorType::LOGICAL_DISTINCT:
			return PlaceDistinct(op.Cast<LogicalDistinct>(), Visit(*op.children[0], above.Below(op, false)));
		case LogicalOperatorType::LOGICAL_TOP_N:
		case LogicalOperatorType::LOGICAL_LIMIT:
		case LogicalOperatorType::LOGICAL_ORDER_BY:
			return PlaceOrderOrLimit(op, Visit(*op.children[0], above.Below(op, true)), above);
		case LogicalOperatorType::LOGICAL_WINDOW:
			return PlaceWindow(op, Visit(*op.children[0], above.Below(op, false)), above);
		case LogicalOperatorType::LOGICAL_UNION:
		case LogicalOperatorType::LOGICAL_INTERSECT:
		case LogicalOperatorType::LOGICAL_EXCEPT:
			return PlaceRowsOfAll(op.Cast<LogicalSetOperation>(), above);
		default:
			return PlaceSides(op, above);
		}
	}

	OperatorPlacement PlaceRowsOfAll(LogicalSetOperation &op, Above above) {
		auto is_concatenation = op.type == LogicalOperatorType::LOGICAL_UNION && op.setop_all;
		vector<Placement> children;
		for (auto &child : op.children) {
			children.push_back(Visit(*child, Above {false, is_concatenation && above.order_matters}).placement);
		}
		return PlaceSetOperation(context, op, children, above);
	}

	OperatorPlacement PlaceSides(LogicalOperator &join, Above above) {
		auto below = above.Below(join, false);
		auto left = VisitChild(join, 0, below);
		auto right = VisitChild(join, 1, below);
		JoinSides sides {left, right, below.order_matters, fixed_joins.count(&join) > 0};
		auto placed = PlaceJoin(context, join, sides, options);
		// only a broadcast would keep the rows of one side in their order
		auto gives_up_order = !below.order_matters || placed.step == PlacementStep::SHUFFLE_JOIN;
		auto aligned = gives_up_order ? CanBeAligned(join, sides) : std::nullopt;
		if (aligned && Align(result.in_place, clustered, aligned->left, aligned->right, options)) {
			return {Placement::WORKERS, OfAlignedJoin(join.Cast<LogicalComparisonJoin>(), *aligned)};
		}
		return placed;
	}

	//! The operator stays in the session; what is below may still go to the workers
	OperatorPlacement PlaceInSession(LogicalOperator &op, Above above, const string &reason) {
		auto transparent = OnlyPassesRowsOn(op);
		auto below = transparent ? above : Above {false, ResultDependsOnInputOrder(op, above.order_matters)};
		OperatorPlacement placed;
		// what recursion repeats runs once per iteration: its scans stay beside it
		idx_t count = op.type == LogicalOperatorType::LOGICAL_RECURSIVE_CTE ? 1 : op.children.size();
		for (idx_t i = 0; i < count; i++) {
			CloseForSession(placed, i, VisitChild(op, i, below).placement, below.order_matters);
		}
		placed.reason = transparent ? string() : reason;
		return placed;
	}

	//! Workers write the files of a lake's table, which the session registers, or those of a COPY. DuckDB and DuckLake
	//! write such files on several threads, in no order. If the rows are sorted, files that follow each other are.
	OperatorPlacement PlaceWrite(LogicalOperator &op, Above above, bool fills_lake) {
		OperatorPlacement placed;
		auto sorted = fills_lake || CanCopySorted(op);
		if (OnWorkers(Visit(*op.children[0], Above {above.only_final, false, sorted}).placement)) {
			placed.step = fills_lake ? PlacementStep::WRITE_LAKE : PlacementStep::WRITE_COPY;
		}
		return placed;
	}

	OperatorPlacement PlaceGet(LogicalGet &get) {
		auto reason = WhyNotSplit(context, get);
		if (reason.empty()) {
			return {Placement::WORKERS, PartitioningOf(get, clustered)};
		}
		OperatorPlacement placed;
		auto from_constants = MakesRowsFromConstants(get);
		for (idx_t i = 0; i < get.children.size(); i++) {
			auto child = Visit(*get.children[i], Above {false, true}).placement;
			from_constants = from_constants && child == Placement::ANYWHERE;
			CloseForSession(placed, i, child, true);
		}
		if (from_constants) {
			return Placement::ANYWHERE;
		}
		placed.reason = reason;
		return placed;
	}

	//! Computed once; its scans read what the workers kept
	OperatorPlacement PlaceCTE(LogicalMaterializedCTE &cte, Above above) {
		if (ContainsOperator(*cte.children[1], LogicalOperatorType::LOGICAL_RECURSIVE_CTE)) {
			return PlaceInSession(cte, above, "a recursive CTE runs in the session");
		}
		auto ordered = ReadInOrder(*cte.children[1], cte.table_index, above.order_matters);
		if (Visit(*cte.children[0], Above {false, ordered}).placement == Placement::SESSION) {
			OperatorPlacement placed;
			auto reader = Visit(*cte.children[1], Above {false, above.order_matters}).placement;
			CloseForSession(placed, 1, reader, above.order_matters);
			placed.reason = "the CTE " + cte.ctename + " is computed in the session";
			return placed;
		}
		shared_ctes[cte.table_index] = ordered ? Placement::SINGLE : Placement::WORKERS;
		auto &reader = Visit(*cte.children[1], above);
		OperatorPlacement placed(reader.placement, reader.partitioning);
		placed.exchanges[0] = {ordered ? ExchangeKind::GATHER : ExchangeKind::ROUND_ROBIN, ordered, {}};
		return placed;
	}

	OperatorPlacement PlaceDelimJoin(LogicalComparisonJoin &join, Above above) {
		if (auto placed = PlaceLocalDelimJoin(join)) {
			return std::move(*placed);
		}
		return CanShareDelimJoin(join) ? PlaceSharedDelimJoin(join, above)
		                               : PlaceInSession(join, above, RunsInSession(join));
	}

	//! The whole join in each task, where all scans that it needs are cut by a column by which its sides correlate: a
	//! task then has all rows that belong to the values which its part of the source has.
	std::optional<OperatorPlacement> PlaceLocalDelimJoin(LogicalComparisonJoin &join) {
		const Above below {false, false};
		auto before = result;
		auto ctes_before = shared_ctes;
		auto source = SourceOf(join);
		auto source_placed = Visit(*join.children[source], below);
		std::optional<OperatorPlacement> placed;
		auto key = source_placed.partitioning.FindClustered(References(join.duplicate_eliminated_columns));
		if (key) {
			// what stands for the source below the other side must not rely on anything else
			auto aligned = result.in_place.AlignedWith(key->table_index);
			source_placed.partitioning = source_placed.partitioning.OnlyBy(*key, aligned);
			result.operators.at(join.children[source].get()).partitioning = source_placed.partitioning;
			auto outer = local_delim_join;
			local_delim_join = join;
			auto other_placed = Visit(*join.children[1 - source], below);
			local_delim_join = outer;
			auto &left = source == 0 ? source_placed : other_placed;
			auto &right = source == 0 ? other_placed : source_placed;
			auto by = CanBeAligned(join, {left, right, false, false});
			if (by && !MovesDelimScan(result, *join.children[1 - source]) &&
			    Align(result.in_place, clustered, by->left, by->right, options)) {
				placed = OperatorPlacement(Placement::WORKERS, OfAlignedJoin(join, *by));
			}
		}
		if (!placed) {
			result = std::move(before);
			shared_ctes = std::move(ctes_before);
		}
		return placed;
	}

	//! The distinct values that the source has in this task
	OperatorPlacement PlaceLocalDelimScan(LogicalDelimGet &scan) {
		auto &join = *local_delim_join;
		auto &source = result.operators.at(join.children[SourceOf(join)].get());
		auto partitioning = source.partitioning.Above(scan.table_index, References(join.duplicate_eliminated_columns));
		return {Placement::WORKERS, std::move(partitioning)};
	}

	//! What becomes of it is decided as if it were an ordinary join already that reads a shared CTE.
	OperatorPlacement PlaceSharedDelimJoin(LogicalComparisonJoin &join, Above above) {
		auto source = SourceOf(join);
		if (Visit(*join.children[source], Above {false, false}).placement == Placement::SESSION) {
			OperatorPlacement placed;
			auto other = Visit(*join.children[1 - source], Above {false, above.order_matters}).placement;
			CloseForSession(placed, 1 - source, other, false);
			placed.reason = RunsInSession(join);
			return placed;
		}
		auto outer = std::make_pair(local_delim_join, shared_delim_join);
		local_delim_join = nullptr;
		shared_delim_join = join;
		auto reason = WhyNotOnWorker(context, join);
		auto placed = reason.empty() ? PlaceSides(join, above) : PlaceInSession(join, above, reason);
		placed.shares_delim_join = true;
		std::tie(local_delim_join, shared_delim_join) = outer;
		return placed;
	}

	//! The distinct values of the shared CTE, brought together by hash
	OperatorPlacement PlaceDelimScan(LogicalOperator &scan) {
		auto bindings = scan.GetColumnBindings();
		return {Placement::WORKERS, bindings.empty() ? Partitioning() : Partitioning(std::move(bindings))};
	}
};

} // namespace

PlanPlacement PlaceOperators(ClientContext &context, LogicalOperator &plan, const PlannerOptions &options,
                             const unordered_set<const LogicalOperator *> &fixed_joins,
                             const ClusteredScans &clustered) {
	return PlacementAnalysis(context, options, fixed_joins, clustered).Run(plan);
}

} // namespace duckherder
