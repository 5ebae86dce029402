#pragma once

#include "plan/stage_graph.hpp"
#include "planner/planner_options.hpp"

#include "duckdb/planner/logical_operator.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

namespace duckherder {

//! The base scan of a stage; a stage has at most one.
struct StageScan {
	enum class Reader {
		WORKER, //! the fragment contains the scan, the worker cuts it to its task's split
		FEED    //! the fragment reads a feed, the driver runs `feed_scan` cut to the task's split
	};
	Reader reader = Reader::WORKER;
	duckdb::idx_t table_index = 0;
	//! Points into the fragment for WORKER
	duckdb::LogicalGet *scan = nullptr;
	//! Taken out of the plan for FEED
	duckdb::unique_ptr<duckdb::LogicalGet> feed_scan;
	//! The order of the rows matters to the result, so what cannot be split by ranges must be read by one task
	bool order_matters = true;

	duckdb::LogicalGet &Get() const {
		return feed_scan ? *feed_scan : *scan;
	}
};

//! A stage as planned: operators instead of bytes. Encoded and split into tasks when the query starts, because
//! parameters and row counts are only certain then.
struct StagePlan {
	StageId id = 0;
	duckdb::unique_ptr<duckdb::LogicalOperator> fragment;
	Exchange output;
	duckdb::vector<duckdb::LogicalType> types;
	duckdb::vector<StageId> inputs;
	duckdb::unique_ptr<StageScan> scan;
	//! A copy of a broadcast input is built into a hash table by each task: few tasks are better then
	bool has_broadcast_input = false;
	//! A second run of a task gives the same rows: no LIMIT, nothing that takes whatever row comes first
	bool repeatable = true;
	//! Tasks when there is no scan: the partitions of its inputs
	uint32_t partitions = 1;
	duckdb::string description;
};

//! What the planner made of a query: stages for the workers; what is left in the session's plan reads their gathers.
struct DistributedPlan {
	duckdb::vector<StagePlan> stages;
	//! Everything but the final gather runs on workers
	bool fully_distributed = false;
	//! Why not fully or not at all; empty if fully distributed
	duckdb::string reason;
	//! How results come together, for the statistics: CONCAT, AGGREGATE, TOP_N, LIMIT, ORDER
	duckdb::string merge_strategy = "CONCAT";
	PlannerOptions options;

	bool Distributed() const {
		return !stages.empty();
	}
};

} // namespace duckherder
