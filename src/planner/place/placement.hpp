#pragma once

#include "plan/stage_graph.hpp"
#include "planner/place/aligned_scans.hpp"
#include "planner/place/choose_joins.hpp"
#include "planner/place/partitioning.hpp"

#include "duckdb.hpp"

#include <map>
#include <optional>

namespace duckherder {

//! Where an operator runs.
enum class Placement {
	SESSION, //! its rows are in the session's plan
	WORKERS, //! in a stage with many tasks
	SINGLE,  //! in a stage with one task, which sees all rows
	ANYWHERE //! constants: they may become part of any stage
};

inline bool OnWorkers(Placement placement) {
	return placement == Placement::WORKERS || placement == Placement::SINGLE;
}

//! What has to be done at an operator beside putting exchanges above its children.
enum class PlacementStep {
	NONE,
	SPLIT_AGGREGATE, //! a partial aggregate in each task, below the exchange, which is by its groups if it is by hash
	LOCAL_DISTINCT,  //! the same operator in each task, below the exchange
	LOCAL_ORDER,     //! a sort, top-N or limit in each task, below the exchange
	SHUFFLE_JOIN,    //! both sides meet by the hash of some of the equality keys
	RANGE_ORDER,     //! rows meet by ranges of its sort key, and each task sorts its own
	WRITE_COPY,      //! workers write the files of a COPY
	WRITE_LAKE       //! workers write the files of a lake's table
};

//! An exchange that has to be put above a child.
struct NeededExchange {
	ExchangeKind kind = ExchangeKind::RESULT;
	bool ordered = false;
	//! HASH, RANGE: expressions over the child's columns, which are part of the plan; none: all columns of the child
	duckdb::vector<duckdb::reference<duckdb::Expression>> keys;
	//! RANGE: how rows are sorted by each key
	std::vector<KeyOrder> orders = {};
};

//! How the sides of a SHUFFLE_JOIN meet.
struct ShuffledSides {
	//! Numbers of the equality conditions whose keys are hashed, in this order
	duckdb::vector<duckdb::idx_t> conditions;
	//! The side that is broadcast instead if it turns out to be small
	BroadcastSide adaptive = BroadcastSide::NONE;
	//! What the estimates say about that
	bool expects_broadcast = false;
	//! The left side is not needed if the right one turns out to be empty
	bool skips_left = false;
};

//! What is decided about one operator. Its children have decisions of their own.
struct OperatorPlacement {
	OperatorPlacement(Placement placement_p = Placement::SESSION, // NOLINT: most operators have nothing else
	                  Partitioning partitioning_p = Partitioning())
	    : placement(placement_p), partitioning(std::move(partitioning_p)) {
	}

	Placement placement;
	//! How the rows that it gives are spread over the tasks
	Partitioning partitioning;
	//! It needs no exchange because a scan below is cut by this column.
	std::optional<Partitioning::Clustered> in_place_by;
	//! The order of these rows matters to what is above
	bool order_matters = true;
	//! Why it is in the session though its input is not, or could not be; empty if there is nothing to blame
	duckdb::string reason;
	PlacementStep step = PlacementStep::NONE;
	//! A delim join whose source becomes a shared CTE: behind a round robin exchange, before all else
	bool shares_delim_join = false;
	ShuffledSides shuffle;
	//! By the number of the child
	std::map<duckdb::idx_t, NeededExchange> exchanges;
	//! How results come together if this operator's last step is the session's: see DistributedPlan
	duckdb::string merge_strategy;
};

//! The decisions about a whole plan.
struct PlanPlacement {
	//! An operator that is not in it runs in the session, and so does all that is below it.
	std::unordered_map<const duckdb::LogicalOperator *, OperatorPlacement> operators;
	//! Above the root, if that is on workers
	std::optional<NeededExchange> root_exchange;
	//! What the scans have to be cut by
	InPlaceScans in_place;
	//! The first reason, in the order from the scans up
	duckdb::string reason;
	duckdb::string merge_strategy = "CONCAT";
};

//! Decides where each operator of an optimized plan runs, bottom-up. The types of `plan` are resolved; it is not
//! changed, and the result points into it. `fixed_joins`: those whose right side is broadcast to whoever has rows of
//! the left, which stay where and as they are. `clustered`: columns that each scan can be cut by.
PlanPlacement PlaceOperators(duckdb::ClientContext &context, duckdb::LogicalOperator &plan,
                             const PlannerOptions &options,
                             const std::unordered_set<const duckdb::LogicalOperator *> &fixed_joins,
                             const ClusteredScans &clustered);

} // namespace duckherder
