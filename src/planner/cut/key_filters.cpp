#include "planner/cut/key_filters.hpp"

#include "compat/filters.hpp"
#include "compat/names.hpp"
#include "compat/packing.hpp"
#include "engine/key_set.hpp"
#include "common/contains.hpp"
#include "planner/cut/stage_order.hpp"
#include "planner/place/choose_joins.hpp"
#include "planner/place/join_traits.hpp"
#include "planner/place/logical_exchange.hpp"
#include "planner/place/partitioning.hpp"
#include "planner/split/split_scans.hpp"

#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "duckdb/planner/operator/logical_aggregate.hpp"
#include "duckdb/planner/operator/logical_distinct.hpp"
#include "duckdb/planner/operator/logical_projection.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! More filters than this on one scan cost more than they leave out
constexpr idx_t FILTERS_PER_SCAN_MAX = 6;
//! Estimates are often too small, and a filter that is too small is useless
constexpr uint64_t KEYS_PER_ESTIMATED_ROW = 4;
//! Instead of the number of a condition that rows are shuffled by
constexpr idx_t NO_CONDITION = NumericLimits<idx_t>::Maximum();

optional_idx PositionOf(LogicalOperator &op, const ColumnBinding &binding) {
	auto bindings = op.GetColumnBindings();
	for (idx_t i = 0; i < bindings.size(); i++) {
		if (bindings[i] == binding) {
			return i;
		}
	}
	return optional_idx();
}

//! Something may leave rows out: keys of a whole table rarely miss anything
bool MayLeaveRowsOut(LogicalOperator &op) {
	switch (op.type) {
	case LogicalOperatorType::LOGICAL_FILTER:
	case LogicalOperatorType::LOGICAL_LIMIT:
	case LogicalOperatorType::LOGICAL_TOP_N:
	case LogicalOperatorType::LOGICAL_CTE_REF:
	case LogicalOperatorType::LOGICAL_INTERSECT:
	case LogicalOperatorType::LOGICAL_EXCEPT:
	case LogicalOperatorType::LOGICAL_CHUNK_GET:
	case LogicalOperatorType::LOGICAL_EXPRESSION_GET:
	case LogicalOperatorType::LOGICAL_EMPTY_RESULT:
		return true;
	case LogicalOperatorType::LOGICAL_GET:
		if (HasFilters(op.Cast<LogicalGet>().table_filters)) {
			return true;
		}
		break;
	default:
		break;
	}
	return std::any_of(op.children.begin(), op.children.end(), [](auto &child) { return MayLeaveRowsOut(*child); });
}

class KeyFilterFinder {
public:
	vector<KeyFilterCandidate> Run(LogicalOperator &plan) {
		Visit(plan);
		return std::move(candidates);
	}

private:
	vector<KeyFilterCandidate> candidates;
	//! How often the column that is traced has been unpacked where it was found, compared to where it is now
	int packed = 0;

	void Visit(LogicalOperator &op) {
		if (op.type == LogicalOperatorType::LOGICAL_COMPARISON_JOIN) {
			VisitJoin(op.Cast<LogicalComparisonJoin>());
		}
		for (auto &child : op.children) {
			Visit(*child);
		}
	}

	void VisitJoin(LogicalComparisonJoin &join) {
		auto &traits = TraitsOf(join.join_type);
		idx_t equality = 0;
		for (auto &condition : join.conditions) {
			auto equal = condition.IsComparison() && condition.GetComparisonType() == ExpressionType::COMPARE_EQUAL;
			if (equal && traits.left_may_lose_rows) {
				Try(*join.children[1], *condition.RightReference(), equality, *join.children[0],
				    *condition.LeftReference());
			}
			if (equal && traits.right_may_lose_rows) {
				Try(*join.children[0], *condition.LeftReference(), equality, *join.children[1],
				    *condition.RightReference());
			}
			equality += IsEquality(condition) ? 1 : 0;
		}
	}

	//! `equality`: the number of the condition among those that rows are shuffled by
	void Try(LogicalOperator &source_side, const Expression &source_key, idx_t equality, LogicalOperator &target_side,
	         const Expression &target_key) {
		auto column = AsColumn(target_key);
		KeyFilterCandidate candidate;
		if (!column || !KeySet::Supports(source_key.GetReturnType())) {
			return;
		}
		auto source = FindSource(source_side, source_key, equality, candidate.source_column);
		if (!source) {
			return;
		}
		candidate.source = source->number;
		candidate.same_stage = true;
		packed = 0;
		if (!Trace(target_side, *column, candidate)) {
			return;
		}
		auto rows = EstimatedRows(*source);
		auto target_rows = EstimatedRows(*candidate.target);
		auto enough_rows = !rows || !target_rows || *rows <= *target_rows;
		if (enough_rows && MayLeaveRowsOut(*source->children[0])) {
			candidates.push_back(candidate);
		}
	}

	//! The exchange whose rows have all values of the key, and which of its columns that is. Operators between it and
	//! the join may only take some away.
	static optional_ptr<LogicalExchange> FindSource(LogicalOperator &op, const Expression &key, idx_t equality,
	                                                uint32_t &source_column) {
		auto column = AsColumn(key);
		if (IsExchange(op)) {
			auto &exchange = op.Cast<LogicalExchange>();
			auto position = column ? PositionOf(exchange, *column) : optional_idx();
			if (position.IsValid()) {
				source_column = static_cast<uint32_t>(position.GetIndex());
			} else if (exchange.exchange.kind == ExchangeKind::HASH &&
			           equality < exchange.exchange.key_columns.size()) {
				source_column = exchange.exchange.key_columns[equality];
			} else {
				return nullptr;
			}
			auto stays = IsPartitioned(exchange.exchange.kind) || exchange.exchange.kind == ExchangeKind::BROADCAST;
			return stays ? &exchange : nullptr;
		}
		if (!column) {
			return nullptr;
		}
		auto below = [&](const Expression &expression) {
			return AsColumn(expression) ? FindSource(*op.children[0], expression, NO_CONDITION, source_column)
			                            : nullptr;
		};
		switch (op.type) {
		case LogicalOperatorType::LOGICAL_PROJECTION: {
			auto &projection = op.Cast<LogicalProjection>();
			return column->table_index == projection.table_index
			           ? below(*projection.expressions.at(column->column_index))
			           : nullptr;
		}
		case LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY: {
			auto &aggregate = op.Cast<LogicalAggregate>();
			return column->table_index == aggregate.group_index ? below(*aggregate.groups.at(column->column_index))
			                                                    : nullptr;
		}
		case LogicalOperatorType::LOGICAL_DISTINCT:
		case LogicalOperatorType::LOGICAL_FILTER:
			return below(key);
		default:
			return nullptr;
		}
	}

	//! Follows a column down to the scan that it comes from unchanged, through operators that a row with this value of
	//! the column leaves with this value: what does not enter does not leave, and takes no other row with it
	bool Trace(LogicalOperator &op, ColumnBinding binding, KeyFilterCandidate &candidate) {
		if (IsExchange(op)) {
			auto position = PositionOf(op, binding);
			candidate.same_stage = false;
			return position.IsValid() &&
			       Trace(*op.children[0], op.children[0]->GetColumnBindings().at(position.GetIndex()), candidate);
		}
		switch (op.type) {
		case LogicalOperatorType::LOGICAL_GET:
			return TraceScan(op.Cast<LogicalGet>(), binding, candidate);
		case LogicalOperatorType::LOGICAL_PROJECTION: {
			auto &projection = op.Cast<LogicalProjection>();
			return binding.table_index == projection.table_index &&
			       TraceExpression(*op.children[0], *op.expressions.at(binding.column_index), candidate);
		}
		case LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY: {
			auto &aggregate = op.Cast<LogicalAggregate>();
			return binding.table_index == aggregate.group_index && aggregate.grouping_sets.size() <= 1 &&
			       aggregate.grouping_functions.empty() &&
			       TraceExpression(*op.children[0], *aggregate.groups.at(binding.column_index), candidate);
		}
		case LogicalOperatorType::LOGICAL_DISTINCT:
			return op.Cast<LogicalDistinct>().distinct_type == DistinctType::DISTINCT &&
			       Trace(*op.children[0], binding, candidate);
		case LogicalOperatorType::LOGICAL_FILTER:
		case LogicalOperatorType::LOGICAL_ORDER_BY:
			return Trace(*op.children[0], binding, candidate);
		case LogicalOperatorType::LOGICAL_UNNEST:
			return PositionOf(*op.children[0], binding).IsValid() && Trace(*op.children[0], binding, candidate);
		case LogicalOperatorType::LOGICAL_COMPARISON_JOIN:
		case LogicalOperatorType::LOGICAL_ANY_JOIN:
		case LogicalOperatorType::LOGICAL_CROSS_PRODUCT:
			return TraceJoin(op, binding, candidate);
		default:
			return false;
		}
	}

	bool TraceJoin(LogicalOperator &join, ColumnBinding binding, KeyFilterCandidate &candidate) {
		auto traits = TraitsOf(join);
		if (PositionOf(*join.children[0], binding).IsValid()) {
			return traits.may_broadcast_right && Trace(*join.children[0], binding, candidate);
		}
		return PositionOf(*join.children[1], binding).IsValid() && traits.may_broadcast_left &&
		       Trace(*join.children[1], binding, candidate);
	}

	bool TraceExpression(LogicalOperator &below, const Expression &expression, KeyFilterCandidate &candidate) {
		if (expression.GetExpressionClass() == ExpressionClass::BOUND_FUNCTION) {
			// Together they change nothing.
			auto packing = PackingOf(expression);
			if (packing == Packing::NONE || (packing == Packing::PACKS && packed == 0)) {
				return false;
			}
			packed += packing == Packing::UNPACKS ? 1 : -1;
			return TraceExpression(below, *expression.Cast<BoundFunctionExpression>().GetChildren()[0], candidate);
		}
		auto column = AsColumn(expression);
		return column && Trace(below, *column, candidate);
	}

	bool TraceScan(LogicalGet &get, ColumnBinding binding, KeyFilterCandidate &candidate) {
		if (packed != 0 || binding.table_index != get.table_index ||
		    binding.column_index >= get.GetColumnIds().size()) {
			return false;
		}
		if (ReaderOf(get) == StageScan::Reader::FEED && !get.GetTable()) {
			return false;
		}
		candidate.target = &get;
		candidate.target_column = binding.column_index;
		return true;
	}
};

bool MakesTheSameRowsAgain(const vector<StagePlan> &stages, StageId stage) {
	auto &inputs = stages[stage].inputs;
	return stages[stage].repeatable && std::all_of(inputs.begin(), inputs.end(),
	                                               [&](StageId input) { return MakesTheSameRowsAgain(stages, input); });
}

optional_ptr<StagePlan> StageOf(vector<StagePlan> &stages, const LogicalGet &get) {
	for (auto &stage : stages) {
		if (stage.scan && &stage.scan->Get() == &get) {
			return stage;
		}
	}
	return nullptr;
}

uint32_t CollectKey(StagePlan &stage, uint32_t column, uint64_t estimated_rows) {
	auto &keys = stage.output.collected_keys;
	for (uint32_t i = 0; i < keys.size(); i++) {
		if (keys[i].column == column) {
			return i;
		}
	}
	CollectedKey key;
	key.column = column;
	key.log2_bits = KeySet::Log2BitsFor(estimated_rows * KEYS_PER_ESTIMATED_ROW);
	keys.push_back(key);
	return static_cast<uint32_t>(keys.size() - 1);
}

} // namespace

vector<KeyFilterCandidate> FindKeyFilters(LogicalOperator &plan) {
	return KeyFilterFinder().Run(plan);
}

void ConnectKeyFilters(const vector<KeyFilterCandidate> &candidates, vector<StagePlan> &stages) {
	for (auto &candidate : candidates) {
		auto target = StageOf(stages, *candidate.target);
		if (!target) {
			continue;
		}
		auto in_task = candidate.same_stage && target->scan->reader == StageScan::Reader::WORKER;
		if (in_task || WaitsFor(stages, candidate.source, target->id) ||
		    !MakesTheSameRowsAgain(stages, candidate.source) || target->scan_filters.size() >= FILTERS_PER_SCAN_MAX) {
			continue;
		}
		PlannedScanFilter filter;
		filter.source = candidate.source;
		auto &source = stages[filter.source];
		filter.key = CollectKey(source, candidate.source_column, source.estimated_rows);
		filter.column = static_cast<uint32_t>(candidate.target_column);
		target->scan_filters.push_back(filter);
		if (!Contains(target->inputs, filter.source)) {
			WaitFor(*target, filter.source);
		}
	}
}

} // namespace duckherder
