#include "planner/place/insert_exchanges.hpp"

#include "planner/place/check_support.hpp"
#include "planner/place/choose_joins.hpp"
#include "planner/place/join_traits.hpp"
#include "planner/rewrite/copy_write.hpp"
#include "planner/rewrite/lake_write.hpp"
#include "planner/place/partitioning.hpp"
#include "planner/place/place_exchange.hpp"
#include "planner/rewrite/share_delim_join.hpp"
#include "planner/rewrite/split_aggregates.hpp"
#include "planner/split/split_scans.hpp"

#include "duckdb/main/settings.hpp"
#include "duckdb/planner/expression/bound_window_expression.hpp"
#include "duckdb/planner/operator/logical_copy_to_file.hpp"
#include "duckdb/planner/operator/logical_cteref.hpp"
#include "duckdb/planner/operator/logical_distinct.hpp"
#include "duckdb/planner/operator/logical_limit.hpp"
#include "duckdb/planner/operator/logical_materialized_cte.hpp"
#include "duckdb/planner/operator/logical_projection.hpp"
#include "duckdb/planner/operator/logical_set_operation.hpp"
#include "duckdb/planner/operator/logical_top_n.hpp"
#include "duckdb/planner/operator/logical_window.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! Groups estimated below this are merged in the session: another stage would cost more than it saves
constexpr idx_t GATHERED_GROUPS_MAX = 20000;

//! As many input rows as this for each group make partial aggregates worthwhile even where rows are together already
constexpr idx_t ROWS_PER_GROUP_MIN = 16;

enum class Placement {
	SESSION, //! its rows are in the session's plan
	WORKERS, //! it is part of a stage that is still open at the top, with many tasks
	SINGLE,  //! the same, and the stage has one task, which sees all rows
	ANYWHERE //! constants: may become part of any stage
};

//! Where the rows of an operator are, and how its tasks share them
struct Placed {
	Placed(Placement place_p,
	       Partitioning partitioning_p = Partitioning()) // NOLINT: a place alone says nothing of shares
	    : place(place_p), partitioning(std::move(partitioning_p)) {
	}
	Placement place;
	Partitioning partitioning;
};

bool OnWorkers(Placement place) {
	return place == Placement::WORKERS || place == Placement::SINGLE;
}

//! What holds for an operator because of those above it
struct Above {
	//! Only the final gather is above: projections, ORDER BY, LIMIT, top-N
	bool only_final = true;
	bool order_matters = true;

	Above Below(const LogicalOperator &op, bool keeps_final) const {
		return Above {only_final && keeps_final, ResultDependsOnInputOrder(op, order_matters)};
	}
};

class ExchangeInserter {
public:
	ExchangeInserter(ClientContext &context_p, Binder &binder_p, DistributedPlan &result_p)
	    : context(context_p), binder(binder_p), result(result_p) {
	}

	void Run(unique_ptr<LogicalOperator> &plan) {
		root = plan.get();
		auto placed = Visit(plan, Above());
		CloseForSession(plan, placed.place, true);
		result.fully_distributed = result.reason.empty();
	}

private:
	ClientContext &context;
	Binder &binder;
	DistributedPlan &result;
	optional_ptr<LogicalOperator> root;
	//! CTEs whose rows stay with the workers that made them, and where a scan of them is
	unordered_map<idx_t, Placement> shared_ctes;

	void Blame(const string &reason) {
		if (result.reason.empty()) {
			result.reason = reason;
		}
	}

	Exchange MakeExchange(ExchangeKind kind, bool ordered) {
		Exchange exchange;
		exchange.kind = kind;
		exchange.ordered = ordered;
		return exchange;
	}

	void CloseForSession(unique_ptr<LogicalOperator> &op, Placement place, bool ordered) {
		if (OnWorkers(place)) {
			PutExchange(op, MakeExchange(ExchangeKind::RESULT, ordered));
		}
	}

	//! Partitions the rows of `op` by the values of expressions over its columns
	Placed Shuffle(unique_ptr<LogicalOperator> &op, const vector<reference<Expression>> &keys, bool ordered) {
		auto exchange = MakeExchange(ExchangeKind::HASH, ordered);
		exchange.partition_count = result.options.Partitions();
		auto partitioning = Partitioning::By(keys);
		PutHashExchange(binder, op, std::move(exchange), keys);
		return {Placement::WORKERS, std::move(partitioning)};
	}

	Placed Visit(unique_ptr<LogicalOperator> &op, Above above) {
		switch (op->type) {
		case LogicalOperatorType::LOGICAL_MATERIALIZED_CTE:
			return VisitCTE(*op, above);
		case LogicalOperatorType::LOGICAL_CTE_REF: {
			auto shared = shared_ctes.find(op->Cast<LogicalCTERef>().cte_index);
			if (shared != shared_ctes.end()) {
				return shared->second;
			}
			break;
		}
		case LogicalOperatorType::LOGICAL_DELIM_JOIN:
			if (CanShareDelimJoin(op->Cast<LogicalComparisonJoin>())) {
				return VisitDelimJoin(op, above);
			}
			break;
		default:
			break;
		}
		auto reason = WhyNotOnWorker(context, *op);
		if (!reason.empty()) {
			auto fills_lake = FillsLakeTable(context, *op);
			return fills_lake || CopiesToManyFiles(context, *op, result.options) ? VisitWrite(op, above, fills_lake)
			                                                                     : VisitInSession(*op, above, reason);
		}
		switch (op->type) {
		case LogicalOperatorType::LOGICAL_GET:
			return VisitGet(op->Cast<LogicalGet>());
		case LogicalOperatorType::LOGICAL_CHUNK_GET:
		case LogicalOperatorType::LOGICAL_EMPTY_RESULT:
		case LogicalOperatorType::LOGICAL_DUMMY_SCAN:
			return Placement::ANYWHERE;
		case LogicalOperatorType::LOGICAL_PROJECTION:
			return VisitProjection(*op, above);
		case LogicalOperatorType::LOGICAL_FILTER:
		case LogicalOperatorType::LOGICAL_UNNEST:
		case LogicalOperatorType::LOGICAL_EXPRESSION_GET:
			return Visit(op->children[0], above.Below(*op, false));
		case LogicalOperatorType::LOGICAL_AGGREGATE_AND_GROUP_BY:
			return VisitAggregate(op, above);
		case LogicalOperatorType::LOGICAL_DISTINCT:
			return VisitDistinct(op, above);
		case LogicalOperatorType::LOGICAL_TOP_N:
		case LogicalOperatorType::LOGICAL_LIMIT:
		case LogicalOperatorType::LOGICAL_ORDER_BY:
			return VisitOrderOrLimit(op, above);
		case LogicalOperatorType::LOGICAL_WINDOW:
			return VisitWindow(*op, above);
		case LogicalOperatorType::LOGICAL_UNION:
		case LogicalOperatorType::LOGICAL_INTERSECT:
		case LogicalOperatorType::LOGICAL_EXCEPT:
			return VisitSetOperation(op->Cast<LogicalSetOperation>(), above);
		default:
			return VisitJoin(*op, above);
		}
	}

	//! The operator stays in the session; what is below may still go to the workers
	Placed VisitInSession(LogicalOperator &op, Above above, const string &reason) {
		auto transparent = OnlyPassesRowsOn(op);
		auto below = transparent ? above : Above {false, ResultDependsOnInputOrder(op, above.order_matters)};
		for (idx_t i = 0; i < op.children.size(); i++) {
			if (op.type == LogicalOperatorType::LOGICAL_RECURSIVE_CTE && i > 0) {
				// runs once per iteration: its scans stay beside it
				break;
			}
			auto placed = Visit(op.children[i], below);
			CloseForSession(op.children[i], placed.place, below.order_matters);
		}
		if (!transparent) {
			Blame(reason);
		}
		return Placement::SESSION;
	}

	//! Workers write the files of a lake's table, which the session registers, or those of a COPY. DuckDB and DuckLake
	//! write such files on several threads, in no order.
	Placed VisitWrite(unique_ptr<LogicalOperator> &op, Above above, bool fills_lake) {
		auto place = Visit(op->children[0], Above {above.only_final, false}).place;
		if (!OnWorkers(place)) {
			return Placement::SESSION;
		}
		if (!fills_lake) {
			SplitCopy(context, op);
		} else if (!PlanLakeWrite(context, binder, op)) {
			CloseForSession(op->children[0], place, false);
			return Placement::SESSION;
		}
		auto &copy = op->children[0]->Cast<LogicalCopyToFile>();
		if (copy.partition_output && place == Placement::WORKERS) {
			// few files: each partition is written by one task
			auto columns = ColumnsOf(*copy.children[0]);
			vector<reference<Expression>> keys;
			for (auto column : copy.partition_columns) {
				keys.push_back(*columns[column]);
			}
			Shuffle(copy.children[0], keys, false);
		}
		PutExchange(op->children[0], MakeExchange(ExchangeKind::RESULT, false));
		return Placement::SESSION;
	}

	Placed VisitGet(LogicalGet &get) {
		auto reason = WhyNotSplit(context, get);
		if (reason.empty()) {
			RemoveDynamicFilters(get);
			return Placement::WORKERS;
		}
		auto from_constants = MakesRowsFromConstants(get);
		for (auto &child : get.children) {
			auto place = Visit(child, Above {false, true}).place;
			from_constants = from_constants && place == Placement::ANYWHERE;
			CloseForSession(child, place, true);
		}
		if (from_constants) {
			return Placement::ANYWHERE;
		}
		Blame(reason);
		return Placement::SESSION;
	}

	Placed VisitProjection(LogicalOperator &op, Above above) {
		auto placed = Visit(op.children[0], above.Below(op, true));
		return {placed.place,
		        placed.partitioning.Above(op.Cast<LogicalProjection>().table_index, References(op.expressions))};
	}

	Placed VisitAggregate(unique_ptr<LogicalOperator> &op, Above above) {
		auto &aggregate = op->Cast<LogicalAggregate>();
		auto below = above.Below(*op, false);
		auto placed = Visit(op->children[0], below);
		if (placed.place != Placement::WORKERS) {
			return placed.place;
		}
		auto grouped = !aggregate.groups.empty();
		auto plain_groups =
		    aggregate.grouping_sets.size() <= 1 && aggregate.grouping_functions.empty() &&
		    (aggregate.grouping_sets.empty() || aggregate.grouping_sets[0].size() == aggregate.groups.size());
		auto keys = References(aggregate.groups);
		auto in_place = grouped && plain_groups && placed.partitioning.BringsTogether(keys);
		auto can_split = CanSplitAggregate(aggregate);
		if (in_place && !(can_split && MakesFewGroups(aggregate))) {
			return {Placement::WORKERS, placed.partitioning.Above(aggregate.group_index, keys)};
		}
		if (can_split) {
			return FinishSplitAggregate(aggregate, above, grouped);
		}
		if (!grouped || !plain_groups) {
			PutExchange(op->children[0], MakeExchange(ExchangeKind::GATHER, below.order_matters));
			return Placement::SINGLE;
		}
		auto shuffled = Shuffle(op->children[0], keys, below.order_matters);
		return {Placement::WORKERS, shuffled.partitioning.Above(aggregate.group_index, keys)};
	}

	//! Groups that each task of a stage makes small are cheap to send, and a stage that does not need all rows of a
	//! group at one place may share the rows of a frequent one
	static bool MakesFewGroups(LogicalAggregate &aggregate) {
		auto &child = *aggregate.children[0];
		return aggregate.has_estimated_cardinality && child.has_estimated_cardinality &&
		       aggregate.estimated_cardinality <= child.estimated_cardinality / ROWS_PER_GROUP_MIN;
	}

	Placed FinishSplitAggregate(LogicalAggregate &aggregate, Above above, bool grouped) {
		auto partial = SplitAggregate(binder, aggregate);
		auto group_count = partial->groups.size();
		result.task_local.insert(partial.get());
		unique_ptr<LogicalOperator> child = std::move(partial);
		auto few =
		    !grouped || (aggregate.has_estimated_cardinality && aggregate.estimated_cardinality <= GATHERED_GROUPS_MAX);
		Placed placed = Placement::WORKERS;
		if (above.only_final && few) {
			PutExchange(child, MakeExchange(ExchangeKind::RESULT, false));
			result.merge_strategy = "AGGREGATE";
			placed = Placement::SESSION;
		} else if (!grouped) {
			PutExchange(child, MakeExchange(ExchangeKind::GATHER, false));
			placed = Placement::SINGLE;
		} else {
			auto exchange = MakeExchange(ExchangeKind::HASH, false);
			exchange.partition_count = result.options.Partitions();
			Partitioning::Columns groups;
			for (idx_t i = 0; i < group_count; i++) {
				exchange.key_columns.push_back(static_cast<uint32_t>(i));
				groups.emplace_back(aggregate.group_index, i);
			}
			placed.partitioning = Partitioning(std::move(groups));
			PutExchange(child, std::move(exchange));
		}
		aggregate.children.push_back(std::move(child));
		aggregate.ResolveOperatorTypes();
		return placed;
	}

	Placed VisitDistinct(unique_ptr<LogicalOperator> &op, Above above) {
		auto &distinct = op->Cast<LogicalDistinct>();
		auto placed = Visit(op->children[0], above.Below(*op, false));
		if (placed.place != Placement::WORKERS) {
			return placed.place;
		}
		auto first_row_wins = distinct.distinct_type == DistinctType::DISTINCT_ON && !distinct.order_by;
		if (first_row_wins) {
			CloseForSession(op->children[0], placed.place, true);
			Blame("DISTINCT ON without ORDER BY takes the first row, which only one node can know");
			return Placement::SESSION;
		}
		auto keys = References(distinct.distinct_targets);
		if (placed.partitioning.BringsTogether(keys)) {
			return placed;
		}
		if (distinct.distinct_type == DistinctType::DISTINCT) {
			vector<unique_ptr<Expression>> targets;
			for (auto &target : distinct.distinct_targets) {
				targets.push_back(target->Copy());
			}
			auto local = make_uniq<LogicalDistinct>(std::move(targets), distinct.distinct_type);
			local->children.push_back(std::move(op->children[0]));
			if (op->has_estimated_cardinality) {
				local->SetEstimatedCardinality(op->estimated_cardinality);
			}
			result.task_local.insert(local.get());
			op->children[0] = std::move(local);
		}
		return Shuffle(op->children[0], keys, false);
	}

	//! Sort, top-N and limit run in each task first, then once more over what is left
	Placed VisitOrderOrLimit(unique_ptr<LogicalOperator> &op, Above above) {
		auto place = Visit(op->children[0], above.Below(*op, true)).place;
		if (place != Placement::WORKERS) {
			return place;
		}
		auto child = std::move(op->children[0]);
		auto local = LocalFormOf(*op);
		auto is_limit = op->type == LogicalOperatorType::LOGICAL_LIMIT;
		if (local) {
			result.task_local.insert(local.get());
			local->children.push_back(std::move(child));
			child = std::move(local);
		}
		auto kind = above.only_final ? ExchangeKind::RESULT : ExchangeKind::GATHER;
		PutExchange(child, MakeExchange(kind, is_limit || op->type == LogicalOperatorType::LOGICAL_ORDER_BY));
		op->children[0] = std::move(child);
		if (!above.only_final) {
			return Placement::SINGLE;
		}
		result.merge_strategy = is_limit ? "LIMIT" : op->type == LogicalOperatorType::LOGICAL_TOP_N ? "TOP_N" : "ORDER";
		return Placement::SESSION;
	}

	Placed VisitWindow(LogicalOperator &op, Above above) {
		auto placed = Visit(op.children[0], above.Below(op, false));
		if (placed.place != Placement::WORKERS) {
			return placed.place;
		}
		auto &first = op.expressions[0]->Cast<BoundWindowExpression>();
		vector<reference<Expression>> keys;
		for (auto &partition : first.partitions) {
			auto everywhere = std::all_of(op.expressions.begin(), op.expressions.end(), [&](auto &expression) {
				auto &partitions = expression->template Cast<BoundWindowExpression>().partitions;
				return std::any_of(partitions.begin(), partitions.end(),
				                   [&](auto &other) { return other->Equals(*partition); });
			});
			if (everywhere) {
				keys.push_back(*partition);
			}
		}
		if (keys.empty()) {
			if (!above.only_final) {
				PutExchange(op.children[0], MakeExchange(ExchangeKind::GATHER, true));
				return Placement::SINGLE;
			}
			// its rows are on their way to the session anyway
			CloseForSession(op.children[0], placed.place, true);
			Blame("a window without a common PARTITION BY needs all rows at one place");
			return Placement::SESSION;
		}
		if (placed.partitioning.BringsTogether(keys)) {
			return placed;
		}
		return Shuffle(op.children[0], keys, true);
	}

	Placed VisitJoin(LogicalOperator &op, Above above) {
		auto below = above.Below(op, false);
		auto left = Visit(op.children[0], below);
		auto right = Visit(op.children[1], below);
		if (left.place == Placement::ANYWHERE && right.place == Placement::ANYWHERE) {
			return Placement::ANYWHERE;
		}
		if (left.place == Placement::SINGLE && right.place == Placement::SINGLE) {
			return Placement::SINGLE;
		}
		auto in_session = left.place == Placement::SESSION || right.place == Placement::SESSION;
		op.ResolveOperatorTypes();
		JoinMatch match;
		auto strategy = JoinStrategy::SESSION;
		if (OnWorkers(left.place) && right.place != Placement::SESSION && result.broadcast_right.count(&op)) {
			CloseForBroadcast(op.children[1], right.place, false);
			return left;
		}
		if (!in_session) {
			match = MatchSides(op, left, right);
			strategy =
			    ChooseJoin(op, result.options, SideOf(left, match.left_in_place), SideOf(right, match.right_in_place));
		}
		if (strategy == JoinStrategy::SHUFFLE || IsAdaptive(op, strategy, left, right)) {
			return ShuffleJoin(op.Cast<LogicalComparisonJoin>(), match, strategy, below.order_matters);
		}
		switch (strategy) {
		case JoinStrategy::BROADCAST_RIGHT:
			CloseForBroadcast(op.children[1], right.place, below.order_matters);
			return left;
		case JoinStrategy::BROADCAST_LEFT:
			CloseForBroadcast(op.children[0], left.place, below.order_matters);
			return right;
		default:
			break;
		}
		CloseForSession(op.children[0], left.place, below.order_matters);
		CloseForSession(op.children[1], right.place, below.order_matters);
		Blame(LogicalOperatorToString(op.type) + " of these inputs runs in the session");
		return Placement::SESSION;
	}

	static JoinMatch MatchSides(LogicalOperator &op, const Placed &left, const Placed &right) {
		return TraitsOf(op).may_shuffle ? MatchPartitioning(left.partitioning, right.partitioning,
		                                                    EqualityKeys(op.Cast<LogicalComparisonJoin>()))
		                                : JoinMatch();
	}

	static SidePlacement SideOf(const Placed &placed, bool in_place) {
		return in_place                  ? SidePlacement::IN_PLACE
		       : OnWorkers(placed.place) ? SidePlacement::SPREAD
		                                 : SidePlacement::ANYWHERE;
	}

	//! The estimates speak for broadcasts, but cannot be trusted: planned as a shuffle, from which the small side's
	//! real size takes it back
	bool IsAdaptive(LogicalOperator &op, JoinStrategy strategy, const Placed &left, const Placed &right) {
		auto broadcasts_right = strategy == JoinStrategy::BROADCAST_RIGHT;
		if (!TraitsOf(op).may_shuffle || left.place != Placement::WORKERS || right.place != Placement::WORKERS ||
		    FindBroadcastSide(op) != (broadcasts_right ? BroadcastSide::RIGHT : BroadcastSide::LEFT)) {
			return false;
		}
		return LargestBytes(context, *op.children[broadcasts_right ? 1 : 0]) > result.options.broadcast_limit_bytes;
	}

	//! Both sides are partitioned, or one is broadcast once its size is known
	Placed ShuffleJoin(LogicalComparisonJoin &join, JoinMatch match, JoinStrategy estimated, bool order_matters) {
		auto expects_broadcast = estimated != JoinStrategy::SHUFFLE;
		if (expects_broadcast) {
			match = MatchPartitioning(Partitioning(), Partitioning(), EqualityKeys(join));
		}
		// what finds the key of a condition by its number finds it among the columns of the exchange
		PutConditionsFirst(join, match.conditions);
		auto keys = EqualityKeys(join);
		auto count = match.conditions.size();
		D_ASSERT(count > 0);
		keys.left.erase(keys.left.begin() + NumericCast<int64_t>(count), keys.left.end());
		keys.right.erase(keys.right.begin() + NumericCast<int64_t>(count), keys.right.end());
		auto partitioning = OfShuffledJoin(join, keys);
		if (!match.left_in_place) {
			Shuffle(join.children[0], keys.left, order_matters);
		}
		if (!match.right_in_place) {
			Shuffle(join.children[1], keys.right, false);
		}
		auto broadcast_side = FindBroadcastSide(join);
		if (broadcast_side != BroadcastSide::NONE && !match.left_in_place && !match.right_in_place) {
			auto &probe = join.children[broadcast_side == BroadcastSide::RIGHT ? 0 : 1]->Cast<LogicalExchange>();
			probe.adaptive_build =
			    join.children[broadcast_side == BroadcastSide::RIGHT ? 1 : 0]->Cast<LogicalExchange>();
			probe.expects_broadcast = expects_broadcast;
		}
		if (TraitsOf(join).left_may_lose_rows && !match.left_in_place && !match.right_in_place) {
			join.children[0]->Cast<LogicalExchange>().skip_without = join.children[1]->Cast<LogicalExchange>();
		}
		return {Placement::WORKERS, expects_broadcast ? Partitioning() : std::move(partitioning)};
	}

	//! The inputs of UNION ALL are dealt out to the tasks above. The others bring equal rows together.
	Placed VisitSetOperation(LogicalSetOperation &op, Above above) {
		auto is_concatenation = op.type == LogicalOperatorType::LOGICAL_UNION && op.setop_all;
		auto order_matters = is_concatenation && above.order_matters;
		vector<Placement> places;
		for (auto &child : op.children) {
			places.push_back(Visit(child, Above {false, order_matters}).place);
		}
		auto in_session = std::count(places.begin(), places.end(), Placement::SESSION) > 0;
		if (std::count(places.begin(), places.end(), Placement::ANYWHERE) == NumericCast<int64_t>(places.size())) {
			return Placement::ANYWHERE;
		}
		op.ResolveOperatorTypes();
		auto by_bytes = is_concatenation || !ComparesByCollation(op.types);
		if (in_session || order_matters || !by_bytes) {
			for (idx_t i = 0; i < op.children.size(); i++) {
				CloseForSession(op.children[i], places[i], order_matters);
			}
			// one input after the other is what the final gather does anyway
			if (in_session || !by_bytes || !above.only_final) {
				Blame(LogicalOperatorToString(op.type) + " of these inputs runs in the session");
			}
			return Placement::SESSION;
		}
		for (auto &child : op.children) {
			if (is_concatenation) {
				PutExchange(child, MakeRoundRobinExchange());
				continue;
			}
			child->ResolveOperatorTypes();
			auto columns = ColumnsOf(*child);
			Shuffle(child, References(columns), false);
		}
		return Placement::WORKERS;
	}

	//! Whether DuckDB finds values of these types equal that differ in their bytes, and so in their hash
	bool ComparesByCollation(const vector<LogicalType> &types) {
		auto fallback = Settings::Get<DefaultCollationSetting>(context);
		return std::any_of(types.begin(), types.end(), [&](auto &type) {
			return type.id() == LogicalTypeId::VARCHAR && !(StringType::GetCollation(type).empty() && fallback.empty());
		});
	}

	Exchange MakeRoundRobinExchange() {
		auto exchange = MakeExchange(ExchangeKind::ROUND_ROBIN, false);
		exchange.partition_count = result.options.Partitions();
		return exchange;
	}

	//! Computed once; its scans read what the workers kept
	Placed VisitCTE(LogicalOperator &op, Above above) {
		auto &cte = op.Cast<LogicalMaterializedCTE>();
		if (ContainsOperator(*op.children[1], LogicalOperatorType::LOGICAL_RECURSIVE_CTE)) {
			return VisitInSession(op, above, "a recursive CTE runs in the session");
		}
		auto ordered = ReadInOrder(*op.children[1], cte.table_index, above.order_matters);
		auto place = Visit(op.children[0], Above {false, ordered}).place;
		if (place == Placement::SESSION) {
			auto main_place = Visit(op.children[1], Above {false, above.order_matters}).place;
			CloseForSession(op.children[1], main_place, above.order_matters);
			Blame("the CTE " + cte.ctename + " is computed in the session");
			return Placement::SESSION;
		}
		PutExchange(op.children[0], ordered ? MakeExchange(ExchangeKind::GATHER, true) : MakeRoundRobinExchange());
		shared_ctes[cte.table_index] = ordered ? Placement::SINGLE : Placement::WORKERS;
		return Visit(op.children[1], above);
	}

	Placed VisitDelimJoin(unique_ptr<LogicalOperator> &op, Above above) {
		auto flipped = op->Cast<LogicalComparisonJoin>().delim_flipped;
		auto &source = op->children[flipped ? 1 : 0];
		auto place = Visit(source, Above {false, false}).place;
		if (place == Placement::SESSION) {
			return VisitRestInSession(*op, op->children[flipped ? 0 : 1], above);
		}
		PutExchange(source, MakeRoundRobinExchange());
		auto cte_index = ShareDelimJoin(binder, *root, op);
		shared_ctes[cte_index] = Placement::WORKERS;
		return Visit(op->children[1], above);
	}

	Placed VisitRestInSession(LogicalOperator &op, unique_ptr<LogicalOperator> &other, Above above) {
		auto place = Visit(other, Above {false, above.order_matters}).place;
		CloseForSession(other, place, false);
		Blame(LogicalOperatorToString(op.type) + " runs in the session");
		return Placement::SESSION;
	}

	void CloseForBroadcast(unique_ptr<LogicalOperator> &op, Placement place, bool ordered) {
		if (place != Placement::ANYWHERE) {
			PutExchange(op, MakeExchange(ExchangeKind::BROADCAST, ordered));
		}
	}
};

} // namespace

void InsertExchanges(ClientContext &context, Binder &binder, unique_ptr<LogicalOperator> &plan,
                     DistributedPlan &result) {
	plan->ResolveOperatorTypes();
	ExchangeInserter(context, binder, result).Run(plan);
}

} // namespace duckherder
