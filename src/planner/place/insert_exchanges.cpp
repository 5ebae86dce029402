#include "planner/place/insert_exchanges.hpp"

#include "planner/place/place_exchange.hpp"
#include "planner/place/placement_rules.hpp"
#include "engine/sorted_files.hpp"
#include "planner/place/sort_sample.hpp"
#include "planner/rewrite/copy_write.hpp"
#include "planner/rewrite/lake_write.hpp"
#include "planner/rewrite/share_delim_join.hpp"
#include "planner/rewrite/split_aggregates.hpp"
#include "planner/split/split_scans.hpp"

#include "duckdb/planner/operator/logical_copy_to_file.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

class ExchangeInserter {
public:
	ExchangeInserter(ClientContext &context_p, Binder &binder_p, LogicalOperator &root_p, PlanPlacement placement_p,
	                 const PlannerOptions &options_p)
	    : context(context_p), binder(binder_p), root(root_p), placement(std::move(placement_p)), options(options_p) {
	}

	ShuffledJoins Run(unique_ptr<LogicalOperator> &plan) {
		Rewrite(plan);
		if (placement.root_exchange) {
			Put(plan, *placement.root_exchange);
		}
		return std::move(joins);
	}

private:
	ClientContext &context;
	Binder &binder;
	LogicalOperator &root;
	PlanPlacement placement;
	const PlannerOptions &options;
	ShuffledJoins joins;
	StageId next_number = 0;

	Exchange MakeExchange(const NeededExchange &needed) const {
		Exchange exchange;
		exchange.kind = needed.kind;
		exchange.ordered = needed.ordered;
		exchange.partition_count = IsPartitioned(needed.kind) ? options.Partitions() : 1;
		return exchange;
	}

	void Put(unique_ptr<LogicalOperator> &op, const NeededExchange &needed) {
		if (needed.kind == ExchangeKind::RANGE) {
			PutByRange(op, needed);
			return;
		}
		if (needed.kind != ExchangeKind::HASH) {
			PutExchange(op, next_number++, MakeExchange(needed));
			return;
		}
		op->ResolveOperatorTypes();
		auto columns = ColumnsOf(*op);
		PutKeyedExchange(binder, op, next_number++, MakeExchange(needed),
		                 needed.keys.empty() ? References(columns) : needed.keys);
	}

	//! A stage before samples the sort keys. Where the rows come from a scan it reads some of that; else it makes all
	//! rows, which wait for the bounds at the workers that have made them.
	void PutByRange(unique_ptr<LogicalOperator> &op, const NeededExchange &needed) {
		auto sampled = next_number++;
		unique_ptr<LogicalOperator> sample;
		if (CanSample(*op)) {
			sample = KeysOfRows(context, binder, *op, needed.keys);
			Exchange keys;
			keys.kind = ExchangeKind::SAMPLE;
			keys.ordered = false;
			keys.key_orders = needed.orders;
			for (uint32_t i = 0; i < needed.keys.size(); i++) {
				keys.key_columns.push_back(i);
			}
			PutExchange(sample, sampled, std::move(keys));
		} else {
			auto rows = MakeExchange({ExchangeKind::ROUND_ROBIN, false, {}});
			rows.key_orders = needed.orders;
			PutKeyedExchange(binder, op, sampled, std::move(rows), needed.keys);
		}
		auto by_range = MakeExchange(needed);
		by_range.key_orders = needed.orders;
		by_range.partition_count = options.Ranges(EstimatedBytes(*op));
		PutKeyedExchange(binder, op, next_number++, std::move(by_range), needed.keys);
		auto &exchange = op->Cast<LogicalExchange>();
		exchange.bounds_from = sampled;
		if (sample) {
			exchange.children.push_back(std::move(sample));
		}
	}

	void Rewrite(unique_ptr<LogicalOperator> &op) {
		auto found = placement.operators.find(op.get());
		if (found == placement.operators.end()) {
			return;
		}
		auto &placed = found->second;
		if (placed.shares_delim_join) {
			ShareSource(op);
			RewriteChildren(*op->children[1], placed);
		} else if (placed.step == PlacementStep::WRITE_COPY || placed.step == PlacementStep::WRITE_LAKE) {
			RewriteWrite(op, placed.step);
		} else {
			RewriteChildren(*op, placed);
		}
	}

	void RewriteChildren(LogicalOperator &op, const OperatorPlacement &placed) {
		if (op.type == LogicalOperatorType::LOGICAL_GET && placed.placement == Placement::WORKERS) {
			RemoveDynamicFilters(op.Cast<LogicalGet>());
		}
		if (placed.step == PlacementStep::SHUFFLE_JOIN) {
			// what finds the key of a condition by its number finds it among the columns of the exchange
			PutConditionsFirst(op.Cast<LogicalComparisonJoin>(), placed.shuffle.conditions);
		}
		for (idx_t i = 0; i < op.children.size(); i++) {
			Rewrite(op.children[i]);
			auto needed = placed.exchanges.find(i);
			if (needed != placed.exchanges.end()) {
				PutBelow(op, i, placed.step, needed->second);
			}
		}
		if (placed.step == PlacementStep::SHUFFLE_JOIN) {
			NoteJoin(op, placed.shuffle);
		}
	}

	//! Puts an exchange above a child, and a part of what the operator does below that.
	void PutBelow(LogicalOperator &op, idx_t number, PlacementStep step, const NeededExchange &needed) {
		if (step == PlacementStep::SPLIT_AGGREGATE) {
			PutPartialAggregate(op.Cast<LogicalAggregate>(), needed);
			return;
		}
		auto &child = op.children[number];
		unique_ptr<LogicalOperator> local;
		if (step == PlacementStep::LOCAL_DISTINCT || step == PlacementStep::LOCAL_ORDER) {
			local = LocalFormOf(op);
		}
		auto has_local_step = local != nullptr;
		if (has_local_step) {
			local->children.push_back(std::move(child));
			child = std::move(local);
		}
		Put(child, needed);
		child->Cast<LogicalExchange>().has_local_step = has_local_step;
	}

	void PutPartialAggregate(LogicalAggregate &aggregate, const NeededExchange &needed) {
		auto partial = SplitAggregate(binder, aggregate);
		auto exchange = MakeExchange(needed);
		for (idx_t i = 0; needed.kind == ExchangeKind::HASH && i < partial->groups.size(); i++) {
			exchange.key_columns.push_back(static_cast<uint32_t>(i));
		}
		unique_ptr<LogicalOperator> child = std::move(partial);
		PutExchange(child, next_number++, std::move(exchange));
		child->Cast<LogicalExchange>().has_local_step = true;
		aggregate.children.push_back(std::move(child));
		aggregate.ResolveOperatorTypes();
	}

	void NoteJoin(LogicalOperator &join, const ShuffledSides &shuffle) {
		auto exchange = [&](idx_t child) -> LogicalExchange & { return join.children[child]->Cast<LogicalExchange>(); };
		if (shuffle.adaptive != BroadcastSide::NONE) {
			idx_t probe = shuffle.adaptive == BroadcastSide::RIGHT ? 0 : 1;
			joins.adaptive[exchange(probe).number] = {exchange(1 - probe).number, EstimatedBytes(exchange(probe)),
			                                          shuffle.expects_broadcast};
		}
		if (shuffle.skips_left) {
			joins.skippable[exchange(0).number] = exchange(1).number;
		}
	}

	//! `op` becomes a CTE over the delim join, whose operators are known by other addresses then: no decisions are
	//! left of those that ended, and those that came get theirs.
	void ShareSource(unique_ptr<LogicalOperator> &op) {
		auto &join = op->Cast<LogicalComparisonJoin>();
		auto &source = join.children[SourceOf(join)];
		Rewrite(source);
		Put(source, {ExchangeKind::ROUND_ROBIN, false, {}});
		auto distinct_scans = ShareDelimJoin(binder, root, op);
		placement.operators.erase(source.get());
		for (auto &distinct : distinct_scans) {
			placement.operators.erase(distinct.get().children[0].get());
			placement.operators.insert_or_assign(&distinct.get(), PlaceDistinct(distinct, Placement::WORKERS));
		}
	}

	//! Each of the tasks that write has a range of the sorted rows
	bool IsSortedByRange(const LogicalOperator &rows) const {
		auto found = placement.operators.find(&rows);
		if (found != placement.operators.end() && found->second.step == PlacementStep::RANGE_ORDER) {
			return true;
		}
		return rows.type == LogicalOperatorType::LOGICAL_PROJECTION && IsSortedByRange(*rows.children[0]);
	}

	void RewriteWrite(unique_ptr<LogicalOperator> &op, PlacementStep step) {
		auto in_many_tasks = placement.operators.at(op->children[0].get()).placement == Placement::WORKERS;
		auto sorted = IsSortedByRange(*op->children[0]);
		Rewrite(op->children[0]);
		// the files are listed in the order of their rows
		const NeededExchange to_session {ExchangeKind::RESULT, sorted, {}};
		if (step == PlacementStep::WRITE_COPY) {
			SplitCopy(context, op, sorted);
		} else if (!PlanLakeWrite(context, binder, op)) {
			Put(op->children[0], to_session);
			return;
		}
		auto &copy = op->children[0]->Cast<LogicalCopyToFile>();
		if (sorted && step == PlacementStep::WRITE_LAKE && !copy.partition_output) {
			KeepOrder(copy, copy.rotate || copy.file_size_bytes.IsValid());
		}
		if (copy.partition_output && in_many_tasks) {
			// few files: each partition is written by one task
			auto columns = ColumnsOf(*copy.children[0]);
			NeededExchange by_partition {ExchangeKind::HASH, false, {}};
			for (auto column : copy.partition_columns) {
				by_partition.keys.push_back(*columns[column]);
			}
			Put(copy.children[0], by_partition);
		}
		Put(op->children[0], to_session);
	}
};

} // namespace

ShuffledJoins InsertExchanges(ClientContext &context, Binder &binder, unique_ptr<LogicalOperator> &plan,
                              PlanPlacement placement, const PlannerOptions &options) {
	return ExchangeInserter(context, binder, *plan, std::move(placement), options).Run(plan);
}

} // namespace duckherder
