#pragma once

#include "plan/stage_graph.hpp"
#include "planner/interface/clustered_scan.hpp"
#include "planner/interface/planner_options.hpp"

#include "duckdb/planner/logical_operator.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

#include <optional>

namespace duckherder {

//! A scan of a stage. One of them is the base scan; others are only there if they are aligned with it.
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
	//! Filters and projections that the driver runs on what `feed_scan` reads, from the lowest on; without children
	duckdb::vector<duckdb::unique_ptr<duckdb::LogicalOperator>> feed_steps;
	//! The order of the rows matters to the result, so what cannot be split by ranges must be read by one task
	bool order_matters = true;
	//! Columns of the scan that operators of the stage need together: it is cut between their values. These are numbers
	//! among the columns that the function returns.
	duckdb::vector<duckdb::idx_t> in_place_by;
	//! Where it can be cut so, if it has to be
	std::shared_ptr<const ClusteredScan> clusters;

	duckdb::LogicalGet &Get() const {
		return feed_scan ? *feed_scan : *scan;
	}
};

//! The scan of a stage leaves out rows by the keys that another stage has collected.
struct PlannedScanFilter {
	StageId source = 0;
	//! Which of the source's collected_keys
	uint32_t key = 0;
	//! Among the scan's column ids
	uint32_t column = 0;
};

//! A stage that feeds one side of a join whose other side may turn out to be small. It starts once that other side is
//! complete; if it is small, `reader` broadcasts it to its tasks and does this stage's work itself, so that the rows of
//! this one go nowhere.
struct AdaptiveJoin {
	//! Whose output may be broadcast
	StageId build = 0;
	//! The stage with the join: it reads this one and `build`, and nothing else that is partitioned
	StageId reader = 0;
	//! Estimate of what this stage would send
	uint64_t probe_bytes = 0;
};

//! A stage that feeds the left side of a join, which asks for none of its rows if the right side is empty.
struct SkipIfEmpty {
	//! Feeds the right side; one of `after`
	StageId without = 0;
	//! What is below the join's keys runs all the same, as in DuckDB, if it may fail; else the stage does nothing
	bool may_fail = false;
};

//! A stage as planned: operators instead of bytes. Encoded and split into tasks when the query starts, because
//! parameters and row counts are only certain then.
struct StagePlan {
	StageId id = 0;
	duckdb::unique_ptr<duckdb::LogicalOperator> fragment;
	Exchange output;
	duckdb::vector<duckdb::LogicalType> types;
	duckdb::vector<StageId> inputs;
	//! Stages that it does not read, but waits for: the sources of its scan_filters
	duckdb::vector<StageId> after;
	//! By which it is cut into tasks, if there is one
	duckdb::unique_ptr<StageScan> scan;
	//! Other scans, which workers read and which are cut by the same ranges of a key: the only column of their
	//! in_place_by, and of that of `scan`
	duckdb::vector<StageScan> aligned_scans;
	duckdb::vector<PlannedScanFilter> scan_filters;
	uint64_t estimated_rows = 1;
	std::optional<AdaptiveJoin> adaptive_join;
	std::optional<SkipIfEmpty> skip_if_empty;
	//! The bounds of its RANGE exchange come from the sort keys that the tasks of this stage have sampled. It is an
	//! input, or one of `after`.
	std::optional<StageId> bounds_from;
	//! Each task does something beside the work on its rows: it builds a hash table of a broadcast input (probably), or
	//! writes a file of its own. Few tasks are better then
	bool few_tasks = false;
	//! Its rows go to files, and what it puts out is a list of these
	bool writes_files = false;
	//! A second run of a task gives the same rows: no LIMIT, nothing that takes whatever row comes first
	bool repeatable = true;
	//! Partitions of its inputs; without a scan they are assigned to tasks once their sizes are known
	uint32_t partitions = 1;
	//! Inputs of which a partition may be shared by several tasks that each read all of the other inputs
	duckdb::vector<StageId> sliceable_inputs;
	duckdb::string description;
};

//! How long a pass of the planner took.
struct PassTime {
	const char *name;
	uint64_t duration_us;
};

//! What the planner made of a query: stages for the workers; what is left in the session's plan reads their gathers.
struct DistributedPlan {
	duckdb::vector<StagePlan> stages;
	//! Everything but the final gather runs on workers
	bool fully_distributed = false;
	//! Why not fully or not at all; empty if fully distributed
	duckdb::string reason;
	//! What the query was estimated to take here and there, if that was asked
	duckdb::string estimate;
	//! How results come together, for the statistics: CONCAT, AGGREGATE, TOP_N, LIMIT, ORDER
	duckdb::string merge_strategy = "CONCAT";
	PlannerOptions options;
	//! Those of the planner that ran, in their order
	duckdb::vector<PassTime> pass_times;
	//! How long DuckDB's optimizer and we have planned it; 0 once an execution has told it
	uint64_t planning_us = 0;

	bool Distributed() const {
		return !stages.empty();
	}
};

} // namespace duckherder
