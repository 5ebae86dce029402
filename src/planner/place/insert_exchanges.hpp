#pragma once

#include "planner/place/placement.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/binder.hpp"

#include <map>

namespace duckherder {

//! A join that becomes a broadcast if its build side turns out to be small. It is known by its probe side's exchange.
struct AdaptiveCandidate {
	StageId build = 0;
	//! What the probe side is estimated to send
	uint64_t probe_bytes = 0;
	bool expects_broadcast = false;
};

//! What real sizes may change about the joins both sides of which were shuffled, by numbers of exchanges.
struct ShuffledJoins {
	std::map<StageId, AdaptiveCandidate> adaptive;
	//! From the left side's exchange to the right side's, without whose rows the left ones are not needed
	std::map<StageId, StageId> skippable;
};

//! Rewrites a plan as its placement says: it puts a LogicalExchange wherever rows have to move, runs a part of
//! aggregates, DISTINCT, top-N and limits before that, and hands writes to workers. It decides nothing. The exchanges
//! are numbered from 0 in the order in which the plan is cut: a subtree before what is above it, the left one first.
//! The plan stays runnable on one node.
ShuffledJoins InsertExchanges(duckdb::ClientContext &context, duckdb::Binder &binder,
                              duckdb::unique_ptr<duckdb::LogicalOperator> &plan, PlanPlacement placement,
                              const PlannerOptions &options);

} // namespace duckherder
