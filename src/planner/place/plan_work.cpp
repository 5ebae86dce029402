#include "planner/place/plan_work.hpp"

#include "compat/filters.hpp"
#include "engine/bound_scan.hpp"
#include "planner/rewrite/lake_scans.hpp"
#include "planner/split/split_scans.hpp"

#include "duckdb/common/file_system.hpp"
#include "duckdb/common/multi_file/multi_file_states.hpp"
#include "duckdb/function/partition_stats.hpp"
#include "duckdb/planner/expression_iterator.hpp"
#include "duckdb/planner/operator/logical_aggregate.hpp"
#include "duckdb/planner/operator/logical_comparison_join.hpp"
#include "duckdb/planner/operator/logical_limit.hpp"
#include "duckdb/planner/operator/logical_order.hpp"

#include <limits>
#include <optional>

namespace duckherder {

using namespace duckdb;

namespace {

//! The bounds of this many row groups are compared with filters: that takes less than a millisecond. A scan of more
//! takes so long that nothing is gained by a better estimate.
constexpr idx_t BOUNDS_COMPARED_MAX = 4096;
//! What a hash table or a sort keeps of a row beside its values, in bytes
constexpr double KEPT_ROW_BYTES = 24;
//! A text that is kept or sent, in bytes
constexpr double TEXT_BYTES = 32;
//! Below a LIMIT, so many rows are read for one that a filter finds
constexpr double ROWS_PER_MATCH = 20;
//! DuckDB assumes that a filter leaves a fifth of the rows
constexpr double FILTER_SHARE = 0.2;

bool IsText(const LogicalType &type) {
	return !TypeIsConstantSize(type.InternalType());
}

//! Columns of a row
struct Values {
	double fixed = 0;
	double text = 0;

	void Add(const LogicalType &type) {
		(IsText(type) ? text : fixed) += 1;
	}
	double Bytes() const {
		return 8 * fixed + TEXT_BYTES * text;
	}
};

//! Counts what is computed, not what is only passed on
void CountComputed(const Expression &expression, Values &result) {
	auto text = IsText(expression.GetReturnType());
	auto any = false;
	ExpressionIterator::EnumerateChildren(expression, [&](const Expression &child) {
		any = true;
		text = text || IsText(child.GetReturnType());
		CountComputed(child, result);
	});
	if (any) {
		(text ? result.text : result.fixed) += 1;
	}
}

Values Computed(const vector<unique_ptr<Expression>> &expressions) {
	Values result;
	for (auto &expression : expressions) {
		CountComputed(*expression, result);
	}
	return result;
}

//! The bounds that a file has of a column are those of the column that the scan returns under its number.
bool KnowsBounds(const LogicalGet &get, idx_t column) {
	if (!IsParquetScan(get)) {
		return column < get.returned_types.size();
	}
	return IsColumnOfFile(get, column);
}

bool MayHaveRows(const LogicalGet &get, const PartitionStatistics &group) {
	auto result = true;
	ForEachFilter(get.table_filters, [&](idx_t key, TableFilter &filter) {
		StorageIndex storage;
		auto column = FilteredColumn(get, key);
		if (!result || !column || !group.partition_row_group || !KnowsBounds(get, column->GetPrimaryIndex()) ||
		    !get.TryGetStorageIndex(*column, storage)) {
			return;
		}
		auto bounds = group.partition_row_group->GetColumnStatistics(storage);
		result = !bounds || !IsNeverTrue(filter, *bounds);
	});
	return result;
}

bool IsInStore(const LogicalGet &get) {
	// which files of a lake are read is known when the optimizer has moved filters into the scan
	auto files_are_known = IsParquetScan(get) || (IsLakeScan(get) && get.has_estimated_cardinality);
	return files_are_known &&
	       FileSystem::IsRemoteFile(get.bind_data->Cast<MultiFileBindData>().file_list->GetFirstFile().path);
}

//! What is asked of an operator. Only plans that are not placed yet are looked at in this way: a LIMIT over a scan,
//! with or without an ORDER BY, is decided before it is placed.
struct Demand {
	//! No more rows than these are looked at.
	double rows = std::numeric_limits<double>::infinity();
	//! The other columns are read for the winners alone.
	std::optional<Values> columns;
};

//! Columns that an expression reads
void CountColumns(const Expression &expression, Values &result) {
	if (expression.GetExpressionType() == ExpressionType::BOUND_COLUMN_REF) {
		result.Add(expression.GetReturnType());
	}
	ExpressionIterator::EnumerateChildren(expression, [&](const Expression &child) { CountColumns(child, result); });
}

//! Of what is below a LIMIT: nothing special, unless there are only filters, projections and sorts above a scan
Demand DemandBelow(const LogicalLimit &limit, double rows) {
	Demand demand;
	Values columns;
	demand.rows = rows;
	for (auto *op = limit.children[0].get(); op->type != LogicalOperatorType::LOGICAL_GET; op = op->children[0].get()) {
		if (op->type == LogicalOperatorType::LOGICAL_ORDER_BY) {
			demand.rows = std::numeric_limits<double>::infinity();
			for (auto &order : op->Cast<LogicalOrder>().orders) {
				CountColumns(*order.expression, columns);
			}
		} else if (op->type == LogicalOperatorType::LOGICAL_FILTER) {
			demand.rows *= ROWS_PER_MATCH;
			for (auto &expression : op->expressions) {
				CountColumns(*expression, columns);
			}
		} else if (op->type != LogicalOperatorType::LOGICAL_PROJECTION) {
			return Demand();
		}
	}
	demand.columns = columns;
	return demand;
}

class WorkCounter {
public:
	WorkCounter(ClientContext &context_p, const PlanPlacement *placement_p, const PlannerOptions &options_p)
	    : context(context_p), placement(placement_p), options(options_p) {
	}

	//! Returns the number of rows that the operator gives.
	double Visit(LogicalOperator &op, Demand demand = Demand()) {
		if (!placement && op.type == LogicalOperatorType::LOGICAL_LIMIT) {
			auto &limit = op.Cast<LogicalLimit>().limit_val;
			auto asked = std::numeric_limits<double>::infinity();
			demand = DemandBelow(op.Cast<LogicalLimit>(), limit.Type() == LimitNodeType::CONSTANT_VALUE
			                                                  ? static_cast<double>(limit.GetConstantValue())
			                                                  : asked);
		}
		if (op.type == LogicalOperatorType::LOGICAL_GET) {
			asked_of_scan = demand;
		}
		vector<double> inputs;
		for (idx_t i = 0; i < op.children.size(); i++) {
			inputs.push_back(Visit(*op.children[i], demand));
		}
		auto rows = MinValue(RowsOf(op, inputs), demand.rows);
		Count(op, inputs, rows);
		if (placement) {
			CountExchanges(op, inputs, rows);
		}
		return rows;
	}

	PlanWork Take(double rows, LogicalOperator &plan) {
		if (!placement) {
			// at least one stage gives the session its rows
			AddExchange(ExchangeKind::RESULT, result.exchanges.empty() ? rows * WidthOf(plan).Bytes() : 0);
		} else if (placement->root_exchange) {
			AddExchange(placement->root_exchange->kind, rows * WidthOf(plan).Bytes());
		}
		return std::move(result);
	}

private:
	ClientContext &context;
	//! Null: nothing is placed yet
	const PlanPlacement *placement;
	const PlannerOptions &options;
	PlanWork result;
	Demand asked_of_scan;

	double RowsOf(LogicalOperator &op, const vector<double> &inputs) const {
		if (auto known = EstimatedRows(op)) {
			return static_cast<double>(*known);
		}
		auto most = 0.0;
		for (auto input : inputs) {
			most = MaxValue(most, input);
		}
		switch (op.type) {
		case LogicalOperatorType::LOGICAL_GET:
			return static_cast<double>(StoredRows(context, op.Cast<LogicalGet>()));
		case LogicalOperatorType::LOGICAL_FILTER:
			return most * FILTER_SHARE;
		case LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY:
			return op.Cast<LogicalAggregate>().groups.empty() ? 1 : most;
		case LogicalOperatorType::LOGICAL_LIMIT: {
			auto &limit = op.Cast<LogicalLimit>().limit_val;
			return limit.Type() == LimitNodeType::CONSTANT_VALUE
			           ? MinValue(most, static_cast<double>(limit.GetConstantValue()))
			           : most;
		}
		default:
			return most;
		}
	}

	//! The columns of a row that the operator gives; of one whose types are not known, those of its input
	static Values WidthOf(const LogicalOperator &op) {
		Values width;
		for (auto &type : op.types) {
			width.Add(type);
		}
		if (op.types.empty() && op.type == LogicalOperatorType::LOGICAL_GET) {
			return WidthOfScan(op.Cast<LogicalGet>());
		}
		for (idx_t i = 0; op.types.empty() && i < op.children.size(); i++) {
			auto child = WidthOf(*op.children[i]);
			width.fixed += child.fixed;
			width.text += child.text;
		}
		return width;
	}

	static Values WidthOfScan(const LogicalGet &get) {
		Values width;
		for (auto &column : get.GetColumnIds()) {
			width.Add(get.GetColumnType(column));
		}
		return width;
	}

	WorkPlace WorkPlaceOf(const LogicalOperator &op) const {
		if (!placement) {
			return WorkPlace::WORKERS;
		}
		auto found = placement->operators.find(&op);
		if (found == placement->operators.end()) {
			return WorkPlace::SESSION;
		}
		auto &placed = found->second;
		if (placed.step != PlacementStep::NONE && placed.step != PlacementStep::SHUFFLE_JOIN) {
			// most of the work is in its part below the exchange
			return WorkPlace::WORKERS;
		}
		return placed.placement == Placement::WORKERS  ? WorkPlace::WORKERS
		       : placed.placement == Placement::SINGLE ? WorkPlace::ONE_WORKER
		                                               : WorkPlace::SESSION;
	}

	OperatorWork &Add(WorkKind kind, WorkPlace place, double rows, double result_rows, Values values) {
		OperatorWork work;
		work.kind = kind;
		work.place = place;
		work.rows = rows;
		work.result_rows = result_rows;
		work.fixed_values = values.fixed;
		work.text_values = values.text;
		result.operators.push_back(work);
		return result.operators.back();
	}

	void AddExchange(ExchangeKind kind, double bytes) {
		result.exchanges.push_back({kind, bytes});
	}

	void Keep(double rows, Values values) {
		result.held_bytes += rows * (values.Bytes() + KEPT_ROW_BYTES);
	}

	void Count(LogicalOperator &op, const vector<double> &inputs, double rows) {
		auto place = WorkPlaceOf(op);
		auto input = inputs.empty() ? 0 : inputs[0];
		switch (op.type) {
		case LogicalOperatorType::LOGICAL_GET:
			CountScan(op.Cast<LogicalGet>(), place, rows);
			break;
		case LogicalOperatorType::LOGICAL_FILTER:
		case LogicalOperatorType::LOGICAL_PROJECTION:
			Add(WorkKind::EXPRESSIONS, place, input, rows, Computed(op.expressions));
			break;
		case LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY:
			CountAggregate(op.Cast<LogicalAggregate>(), place, input, rows);
			break;
		case LogicalOperatorType::LOGICAL_DISTINCT:
			Add(WorkKind::AGGREGATE, place, input, rows, WidthOf(op)).hashes = true;
			Keep(rows, WidthOf(op));
			RoughExchange(ExchangeKind::HASH, rows, op);
			break;
		case LogicalOperatorType::LOGICAL_COMPARISON_JOIN:
		case LogicalOperatorType::LOGICAL_DELIM_JOIN:
		case LogicalOperatorType::LOGICAL_ASOF_JOIN:
		case LogicalOperatorType::LOGICAL_ANY_JOIN:
		case LogicalOperatorType::LOGICAL_CROSS_PRODUCT:
			CountJoin(op, place, inputs, rows);
			break;
		case LogicalOperatorType::LOGICAL_ORDER_BY:
			Add(WorkKind::SORT, place, input, rows, WidthOf(op));
			Keep(rows, WidthOf(op));
			RoughExchange(ExchangeKind::RESULT, rows, op);
			break;
		case LogicalOperatorType::LOGICAL_WINDOW:
			Add(WorkKind::WINDOW, place, input, rows, WidthOf(op));
			Keep(rows, WidthOf(op));
			RoughExchange(ExchangeKind::HASH, rows, op);
			break;
		default:
			Add(WorkKind::OTHER, place, input, rows, {});
			break;
		}
	}

	void CountScan(LogicalGet &get, WorkPlace place, double rows) {
		auto read = MinValue(RowsReadBy(context, get), asked_of_scan.rows);
		auto width =
		    asked_of_scan.columns && get.function.late_materialization ? *asked_of_scan.columns : WidthOfScan(get);
		// files of a lake are read by workers, if the query goes to them
		auto is_feed = place == WorkPlace::WORKERS && !IsLakeScan(get) && ReaderOf(get) == StageScan::Reader::FEED;
		auto &scan = Add(WorkKind::SCAN, is_feed ? WorkPlace::SESSION : place, read, rows, width);
		scan.decodes = IsParquetScan(get) || IsLakeScan(get);
		if (HasFilters(get.table_filters)) {
			Values filters;
			ForEachFilter(get.table_filters, [&](idx_t key, TableFilter &) {
				auto column = FilteredColumn(get, key);
				auto known = column && column->GetPrimaryIndex() < get.returned_types.size();
				filters.Add(known ? get.returned_types[column->GetPrimaryIndex()] : LogicalType::BIGINT);
			});
			Add(WorkKind::EXPRESSIONS, is_feed ? WorkPlace::SESSION : place, read, rows, filters);
		}
		if (is_feed) {
			result.fed_bytes += rows * width.Bytes();
		}
		if (IsInStore(get)) {
			result.store_bytes += read * width.Bytes();
		}
	}

	void CountAggregate(LogicalAggregate &aggregate, WorkPlace place, double input, double rows) {
		Values keys;
		for (auto &group : aggregate.groups) {
			if (IsText(group->GetReturnType())) {
				keys.text += 1;
			}
		}
		auto distinct = std::count_if(aggregate.expressions.begin(), aggregate.expressions.end(), [](auto &expression) {
			return expression->template Cast<BoundAggregateExpression>().IsDistinct();
		});
		auto computed = Computed(aggregate.expressions);
		keys.fixed = static_cast<double>(aggregate.expressions.size()) + computed.fixed;
		Add(WorkKind::AGGREGATE, place, input, rows, keys).hashes = !aggregate.groups.empty();
		for (auto i = distinct; i > 0; i--) {
			// a hash table of its own, whose size nobody knows
			Add(WorkKind::AGGREGATE, place, input, input, {1, 0}).hashes = true;
			Keep(input, {1, 0});
		}
		if (!aggregate.groups.empty()) {
			Keep(rows, WidthOf(aggregate));
		}
		RoughExchange(ExchangeKind::HASH, rows, aggregate);
	}

	void CountJoin(LogicalOperator &join, WorkPlace place, const vector<double> &inputs, double rows) {
		auto build_place = place;
		if (place == WorkPlace::WORKERS && !HashesSides(join)) {
			build_place = WorkPlace::EACH_WORKER;
		}
		Add(WorkKind::BUILD, build_place, inputs[1], inputs[1], WidthOf(*join.children[1]));
		Add(WorkKind::PROBE, place, inputs[0], rows, WidthOf(join)).hashes = true;
		Keep(inputs[1], WidthOf(*join.children[1]));
		RoughExchange(ExchangeKind::BROADCAST, inputs[1], *join.children[1]);
	}

	//! Both sides meet by a hash, so that each worker builds a part of the table
	bool HashesSides(const LogicalOperator &join) const {
		if (!placement) {
			return false;
		}
		auto found = placement->operators.find(&join);
		return found != placement->operators.end() &&
		       std::none_of(found->second.exchanges.begin(), found->second.exchanges.end(),
		                    [](auto &entry) { return entry.second.kind == ExchangeKind::BROADCAST; });
	}

	void RoughExchange(ExchangeKind kind, double rows, const LogicalOperator &op) {
		if (!placement) {
			AddExchange(kind, rows * WidthOf(op).Bytes());
		}
	}

	void CountExchanges(LogicalOperator &op, const vector<double> &inputs, double rows) {
		auto found = placement->operators.find(&op);
		if (found == placement->operators.end()) {
			return;
		}
		auto &placed = found->second;
		for (auto &entry : placed.exchanges) {
			auto child = entry.first;
			auto bytes = inputs[child] * WidthOf(*op.children[child]).Bytes();
			if (placed.step == PlacementStep::SPLIT_AGGREGATE || placed.step == PlacementStep::LOCAL_DISTINCT ||
			    placed.step == PlacementStep::LOCAL_ORDER) {
				// each task gives no more than it has, and no more than the whole
				bytes = MinValue(inputs[child], rows * options.MaxTasks()) * WidthOf(op).Bytes();
			}
			AddExchange(entry.second.kind, bytes);
		}
	}
};

} // namespace

idx_t MovedRowBytes(const vector<LogicalType> &types) {
	Values values;
	for (auto &type : types) {
		values.Add(type);
	}
	return static_cast<idx_t>(values.Bytes());
}

idx_t StoredRows(ClientContext &context, const LogicalGet &get) {
	auto statistics = get.function.cardinality ? get.function.cardinality(context, get.bind_data.get()) : nullptr;
	if (!statistics) {
		return 0;
	}
	// of a table, only the maximum counts the rows that the transaction itself has added
	auto estimate = statistics->has_estimated_cardinality ? statistics->estimated_cardinality : 0;
	return MaxValue(estimate, statistics->has_max_cardinality ? statistics->max_cardinality : 0);
}

double RowsReadBy(ClientContext &context, LogicalGet &get) {
	auto all = static_cast<double>(StoredRows(context, get));
	auto partition_stats = PartitionStatsOf(context, get.function);
	if (!HasFilters(get.table_filters) || !partition_stats ||
	    all > static_cast<double>(BOUNDS_COMPARED_MAX * limits::ROW_GROUP_ROWS)) {
		return all;
	}
	GetPartitionStatsInput input(get.function, get.bind_data.get());
	auto groups = partition_stats(context, input);
	if (groups.empty() || groups.size() > BOUNDS_COMPARED_MAX) {
		return all;
	}
	auto rows = 0.0;
	for (auto &group : groups) {
		rows += MayHaveRows(get, group) ? static_cast<double>(group.count) : 0;
	}
	return MinValue(rows, all);
}

PlanWork WorkOf(ClientContext &context, LogicalOperator &plan, const PlanPlacement &placement,
                const PlannerOptions &options) {
	WorkCounter counter(context, &placement, options);
	auto rows = counter.Visit(plan);
	return counter.Take(rows, plan);
}

PlanWork RoughWorkOf(ClientContext &context, LogicalOperator &plan, const PlannerOptions &options) {
	WorkCounter counter(context, nullptr, options);
	auto rows = counter.Visit(plan);
	return counter.Take(rows, plan);
}

} // namespace duckherder
