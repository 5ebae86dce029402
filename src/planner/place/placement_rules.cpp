#include "planner/place/placement_rules.hpp"

#include "compat/names.hpp"
#include "planner/place/check_support.hpp"
#include "planner/place/join_traits.hpp"
#include "planner/rewrite/split_aggregates.hpp"

#include "duckdb/main/settings.hpp"
#include "duckdb/planner/expression/bound_window_expression.hpp"
#include "duckdb/planner/operator/logical_order.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! Groups estimated below this are merged in the session: another stage would cost more than it saves
constexpr idx_t GATHERED_GROUPS_MAX = 20000;

//! As many input rows as this for each group make partial aggregates worthwhile even where rows are together already
constexpr idx_t ROWS_PER_GROUP_MIN = 16;

//! So many times the usual limit a side may have that is broadcast because of its estimate to where rows are clustered
constexpr uint64_t TRUSTED_WHERE_CLUSTERED = 8;

//! On workers with many tasks, once the rows of the only child are partitioned by these keys
OperatorPlacement Shuffled(const vector<reference<Expression>> &keys, bool ordered) {
	OperatorPlacement placed(Placement::WORKERS, Partitioning::By(keys));
	placed.exchanges[0] = {ExchangeKind::HASH, ordered, keys};
	return placed;
}

//! On workers in one task, which gets all rows of the only child
OperatorPlacement Gathered(bool ordered) {
	OperatorPlacement placed(Placement::SINGLE);
	placed.exchanges[0] = {ExchangeKind::GATHER, ordered, {}};
	return placed;
}

//! On workers with many tasks, each of which sorts a range of the rows: these follow each other in the order of tasks.
OperatorPlacement PlaceByRange(const LogicalOrder &order) {
	OperatorPlacement placed(Placement::WORKERS);
	placed.step = PlacementStep::RANGE_ORDER;
	NeededExchange by_range {ExchangeKind::RANGE, false, {}};
	for (auto &key : order.orders) {
		by_range.keys.push_back(*key.expression);
		by_range.orders.push_back({key.type == OrderType::DESCENDING, key.null_order == OrderByNullType::NULLS_FIRST});
	}
	placed.exchanges[0] = std::move(by_range);
	return placed;
}

//! On the workers that have the rows, if equal ones in all of these keys are together
std::optional<OperatorPlacement> InPlace(const OperatorPlacement &child, const vector<reference<Expression>> &keys) {
	OperatorPlacement placed(child.placement, child.partitioning);
	if (child.partitioning.BringsTogether(keys)) {
		return placed;
	}
	auto clustered = child.partitioning.FindClustered(keys);
	if (!clustered) {
		return std::nullopt;
	}
	placed.in_place_by = *clustered;
	return placed;
}

//! Groups that each task of a stage makes small are cheap to send, and a stage that does not need all rows of a group
//! at one place may share the rows of a frequent one
bool MakesFewGroups(const LogicalAggregate &aggregate) {
	auto groups = EstimatedRows(aggregate);
	auto rows = EstimatedRows(*aggregate.children[0]);
	return groups && rows && *groups <= *rows / ROWS_PER_GROUP_MIN;
}

OperatorPlacement PlaceSplitAggregate(const LogicalAggregate &aggregate, bool only_final) {
	auto grouped = !aggregate.groups.empty();
	auto groups = EstimatedRows(aggregate);
	OperatorPlacement placed(Placement::WORKERS);
	if (only_final && (!grouped || (groups && *groups <= GATHERED_GROUPS_MAX))) {
		placed.placement = Placement::SESSION;
		placed.exchanges[0] = {ExchangeKind::RESULT, false, {}};
		placed.merge_strategy = "AGGREGATE";
	} else if (!grouped) {
		placed = Gathered(false);
	} else {
		Partitioning::Columns columns;
		for (idx_t i = 0; i < aggregate.groups.size(); i++) {
			columns.emplace_back(aggregate.group_index, ProjectionIndex(i));
		}
		placed.partitioning = Partitioning(std::move(columns));
		placed.exchanges[0] = {ExchangeKind::HASH, false, {}};
	}
	placed.step = PlacementStep::SPLIT_AGGREGATE;
	return placed;
}

//! Those that all windows of the operator are partitioned by
vector<reference<Expression>> CommonPartitionKeys(const LogicalOperator &window) {
	vector<reference<Expression>> keys;
	for (auto &partition : window.expressions[0]->Cast<BoundWindowExpression>().Partitions()) {
		auto everywhere = std::all_of(window.expressions.begin(), window.expressions.end(), [&](auto &expression) {
			auto &partitions = expression->template Cast<BoundWindowExpression>().Partitions();
			return std::any_of(partitions.begin(), partitions.end(),
			                   [&](auto &other) { return other->Equals(*partition); });
		});
		if (everywhere) {
			keys.push_back(*partition);
		}
	}
	return keys;
}

//! Whether DuckDB finds values of these types equal that differ in their bytes, and so in their hash
bool ComparesByCollation(ClientContext &context, const vector<LogicalType> &types) {
	auto fallback = Settings::Get<DefaultCollationSetting>(context);
	return std::any_of(types.begin(), types.end(), [&](auto &type) {
		return type.id() == LogicalTypeId::VARCHAR && !(StringType::GetCollation(type).empty() && fallback.empty());
	});
}

SidePlacement SideOf(const OperatorPlacement &placed, bool in_place) {
	return in_place                      ? SidePlacement::IN_PLACE
	       : OnWorkers(placed.placement) ? SidePlacement::SPREAD
	                                     : SidePlacement::ANYWHERE;
}

//! The estimates speak for broadcasts, but cannot be trusted: the join is planned as a shuffle, from which the small
//! side's real size takes it back.
bool IsAdaptive(ClientContext &context, LogicalOperator &join, JoinStrategy strategy, const JoinSides &sides,
                const PlannerOptions &options) {
	auto broadcasts_right = strategy == JoinStrategy::BROADCAST_RIGHT;
	if (!TraitsOf(join).may_shuffle || sides.left.placement != Placement::WORKERS ||
	    sides.right.placement != Placement::WORKERS ||
	    FindBroadcastSide(join) != (broadcasts_right ? BroadcastSide::RIGHT : BroadcastSide::LEFT)) {
		return false;
	}
	// in a shuffle, what is above could not stay where it is any more
	auto stays = (broadcasts_right ? sides.left : sides.right).partitioning.IsClustered();
	auto trusted_bytes = options.broadcast_limit_bytes * (stays ? TRUSTED_WHERE_CLUSTERED : 1);
	return LargestBytes(context, *join.children[broadcasts_right ? 1 : 0]) > trusted_bytes;
}

//! Both sides are partitioned, or one is broadcast once its size is known.
OperatorPlacement PlaceShuffledJoin(LogicalComparisonJoin &join, JoinMatch match, bool expects_broadcast,
                                    bool order_matters) {
	auto all_keys = EqualityKeys(join);
	if (expects_broadcast) {
		match = MatchPartitioning(Partitioning(), Partitioning(), all_keys);
	}
	D_ASSERT(!match.conditions.empty());
	JoinKeys keys;
	for (auto condition : match.conditions) {
		keys.left.push_back(all_keys.left[condition]);
		keys.right.push_back(all_keys.right[condition]);
	}
	OperatorPlacement placed(Placement::WORKERS, expects_broadcast ? Partitioning() : OfShuffledJoin(join, keys));
	placed.step = PlacementStep::SHUFFLE_JOIN;
	if (!match.left_in_place && !match.right_in_place) {
		placed.shuffle.adaptive = FindBroadcastSide(join);
		placed.shuffle.expects_broadcast = expects_broadcast;
		placed.shuffle.skips_left = TraitsOf(join).left_may_lose_rows;
	}
	placed.shuffle.conditions = std::move(match.conditions);
	if (!match.left_in_place) {
		placed.exchanges[0] = {ExchangeKind::HASH, order_matters, std::move(keys.left)};
	}
	if (!match.right_in_place) {
		placed.exchanges[1] = {ExchangeKind::HASH, false, std::move(keys.right)};
	}
	return placed;
}

//! One side is broadcast to where the other one is.
OperatorPlacement Broadcast(const OperatorPlacement &other, idx_t child, Placement child_placement, bool ordered) {
	OperatorPlacement placed(other.placement, other.partitioning);
	if (child_placement != Placement::ANYWHERE) {
		placed.exchanges[child] = {ExchangeKind::BROADCAST, ordered, {}};
	}
	return placed;
}

} // namespace

Above Above::Below(const LogicalOperator &op, bool keeps_final) const {
	auto still_sorted = sorted_files && op.type == LogicalOperatorType::LOGICAL_PROJECTION;
	return Above {only_final && keeps_final, ResultDependsOnInputOrder(op, order_matters), still_sorted};
}

void CloseForSession(OperatorPlacement &placed, idx_t child, Placement child_placement, bool ordered) {
	if (OnWorkers(child_placement)) {
		placed.exchanges[child] = {ExchangeKind::RESULT, ordered, {}};
	}
}

OperatorPlacement PlaceAggregate(LogicalAggregate &aggregate, const OperatorPlacement &child, Above above) {
	if (child.placement != Placement::WORKERS) {
		return child.placement;
	}
	auto &sets = aggregate.grouping_sets;
	auto has_plain_groups = !aggregate.groups.empty() && sets.size() <= 1 && aggregate.grouping_functions.empty() &&
	                        (sets.empty() || sets[0].size() == aggregate.groups.size());
	auto keys = References(aggregate.groups);
	auto in_place = has_plain_groups ? InPlace(child, keys) : std::nullopt;
	auto can_split = CanSplitAggregate(aggregate);
	if (in_place && !(can_split && MakesFewGroups(aggregate))) {
		in_place->partitioning = child.partitioning.Above(aggregate.group_index, keys);
		return *in_place;
	}
	if (can_split) {
		return PlaceSplitAggregate(aggregate, above.only_final);
	}
	auto ordered = above.Below(aggregate, false).order_matters;
	if (!has_plain_groups) {
		return Gathered(ordered);
	}
	auto placed = Shuffled(keys, ordered);
	placed.partitioning = placed.partitioning.Above(aggregate.group_index, keys);
	return placed;
}

OperatorPlacement PlaceDistinct(LogicalDistinct &distinct, const OperatorPlacement &child) {
	if (child.placement != Placement::WORKERS) {
		return child.placement;
	}
	if (distinct.distinct_type == DistinctType::DISTINCT_ON && !distinct.order_by) {
		OperatorPlacement placed;
		CloseForSession(placed, 0, child.placement, true);
		placed.reason = "DISTINCT ON without ORDER BY takes the first row, which only one node can know";
		return placed;
	}
	auto keys = References(distinct.distinct_targets);
	if (auto in_place = InPlace(child, keys)) {
		return *in_place;
	}
	auto placed = Shuffled(keys, false);
	if (distinct.distinct_type == DistinctType::DISTINCT) {
		placed.step = PlacementStep::LOCAL_DISTINCT;
	}
	return placed;
}

OperatorPlacement PlaceOrderOrLimit(LogicalOperator &op, const OperatorPlacement &child, Above above) {
	if (child.placement != Placement::WORKERS) {
		return child.placement;
	}
	if (above.sorted_files && op.type == LogicalOperatorType::LOGICAL_ORDER_BY) {
		return PlaceByRange(op.Cast<LogicalOrder>());
	}
	auto ordered = op.type != LogicalOperatorType::LOGICAL_TOP_N;
	auto placed = Gathered(ordered);
	if (above.only_final) {
		placed.placement = Placement::SESSION;
		placed.exchanges[0].kind = ExchangeKind::RESULT;
		placed.merge_strategy = !ordered                                           ? "TOP_N"
		                        : op.type == LogicalOperatorType::LOGICAL_ORDER_BY ? "ORDER"
		                                                                           : "LIMIT";
	}
	placed.step = PlacementStep::LOCAL_ORDER;
	return placed;
}

OperatorPlacement PlaceWindow(LogicalOperator &op, const OperatorPlacement &child, Above above) {
	if (child.placement != Placement::WORKERS) {
		return child.placement;
	}
	auto keys = CommonPartitionKeys(op);
	if (keys.empty() && above.only_final) {
		// its rows are on their way to the session anyway
		OperatorPlacement placed;
		CloseForSession(placed, 0, child.placement, true);
		placed.reason = "a window without a common PARTITION BY needs all rows at one place";
		return placed;
	}
	if (keys.empty()) {
		return Gathered(true);
	}
	auto in_place = InPlace(child, keys);
	return in_place ? *in_place : Shuffled(keys, true);
}

//! The inputs of UNION ALL go to the tasks above in turn. The others bring equal rows together.
OperatorPlacement PlaceSetOperation(ClientContext &context, LogicalSetOperation &op, const vector<Placement> &children,
                                    Above above) {
	auto count = [&](Placement placement) { return std::count(children.begin(), children.end(), placement); };
	if (count(Placement::ANYWHERE) == NumericCast<int64_t>(children.size())) {
		return Placement::ANYWHERE;
	}
	auto in_session = count(Placement::SESSION) > 0;
	auto is_concatenation = op.type == LogicalOperatorType::LOGICAL_UNION && op.setop_all;
	auto order_matters = is_concatenation && above.order_matters;
	auto by_bytes = is_concatenation || !ComparesByCollation(context, op.types);
	OperatorPlacement placed;
	if (in_session || order_matters || !by_bytes) {
		for (idx_t i = 0; i < children.size(); i++) {
			CloseForSession(placed, i, children[i], order_matters);
		}
		// one input after the other is what the final gather does anyway
		if (in_session || !by_bytes || !above.only_final) {
			placed.reason = LogicalOperatorToString(op.type) + " of these inputs runs in the session";
		}
		return placed;
	}
	placed.placement = Placement::WORKERS;
	for (idx_t i = 0; i < children.size(); i++) {
		placed.exchanges[i] = {is_concatenation ? ExchangeKind::ROUND_ROBIN : ExchangeKind::HASH, false, {}};
	}
	return placed;
}

std::optional<Partitioning::ClusteredPair> CanBeAligned(LogicalOperator &join, const JoinSides &sides) {
	if (sides.is_fixed || !TraitsOf(join).may_shuffle || sides.left.placement != Placement::WORKERS ||
	    sides.right.placement != Placement::WORKERS) {
		return std::nullopt;
	}
	return Partitioning::FindCompared(sides.left.partitioning, sides.right.partitioning,
	                                  EqualityKeys(join.Cast<LogicalComparisonJoin>()));
}

OperatorPlacement PlaceJoin(ClientContext &context, LogicalOperator &join, const JoinSides &sides,
                            const PlannerOptions &options) {
	auto left = sides.left.placement;
	auto right = sides.right.placement;
	if (left == right && (left == Placement::ANYWHERE || left == Placement::SINGLE)) {
		return left;
	}
	if (sides.is_fixed && OnWorkers(left) && right != Placement::SESSION) {
		return Broadcast(sides.left, 1, right, false);
	}
	JoinMatch match;
	auto strategy = JoinStrategy::SESSION;
	if (left != Placement::SESSION && right != Placement::SESSION) {
		if (TraitsOf(join).may_shuffle) {
			match = MatchPartitioning(sides.left.partitioning, sides.right.partitioning,
			                          EqualityKeys(join.Cast<LogicalComparisonJoin>()));
		}
		strategy = ChooseJoin(join, options, SideOf(sides.left, match.left_in_place),
		                      SideOf(sides.right, match.right_in_place));
	}
	if (strategy == JoinStrategy::SHUFFLE || IsAdaptive(context, join, strategy, sides, options)) {
		return PlaceShuffledJoin(join.Cast<LogicalComparisonJoin>(), std::move(match),
		                         strategy != JoinStrategy::SHUFFLE, sides.order_matters);
	}
	switch (strategy) {
	case JoinStrategy::BROADCAST_RIGHT:
		return Broadcast(sides.left, 1, right, sides.order_matters);
	case JoinStrategy::BROADCAST_LEFT:
		return Broadcast(sides.right, 0, left, sides.order_matters);
	default: {
		OperatorPlacement placed;
		CloseForSession(placed, 0, left, sides.order_matters);
		CloseForSession(placed, 1, right, sides.order_matters);
		placed.reason = LogicalOperatorToString(join.type) + " of these inputs runs in the session";
		return placed;
	}
	}
}

} // namespace duckherder
