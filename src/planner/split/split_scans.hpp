#pragma once

#include "planner/interface/distributed_plan.hpp"
#include "planner/split/partition_information.hpp"
#include "planner/split/task_sql.hpp"

#include "duckdb.hpp"

#include <optional>

namespace duckherder {

//! Why a scan stays in the session; empty if tasks can read it (from storage or from a feed).
duckdb::string WhyNotSplit(duckdb::ClientContext &context, const duckdb::LogicalGet &get);

//! A table function that computes the same rows wherever it runs, from nothing but its arguments: range and its like.
bool MakesRowsFromConstants(const duckdb::LogicalGet &get);

//! Who reads the rows of a scan for which WhyNotSplit is empty.
StageScan::Reader ReaderOf(const duckdb::LogicalGet &get);

//! Filters that another operator of this process would fill in while the query runs mean nothing elsewhere.
//! They are optional by contract; without them the same rows come out.
void RemoveDynamicFilters(duckdb::LogicalGet &get);

//! The tasks of a stage and how they were found; the text is the trace block that users see.
struct PipelineTasks {
	duckdb::vector<DistributedPipelineTask> tasks;
	SplitKind kind = SplitKind::NONE;
	duckdb::idx_t natural_parallelism = 1;
	duckdb::idx_t total_rows = 0;
	//! Set when extraction threw and the fallback was taken
	duckdb::string fallback_reason;
};

//! Cuts the base scan of a stage into pipeline tasks that cover each row exactly once, in storage order. Reads the
//! metadata of storage once, and splits as often as asked.
class ScanSplitter {
public:
	//! `base_sql` is the user's statement, for task_sql. `stage` outlives it.
	ScanSplitter(duckdb::ClientContext &context, const StagePlan &stage, const duckdb::string &base_sql,
	             const PlannerOptions &options);

	//! Number of tasks: the scan's natural parallelism, at least the workers, at most tasks_per_worker times the
	//! workers; at most the workers with `few_tasks`, for where each task does the same work beside its rows.
	//! When metadata could not be read: one modulo task per worker for tables, one task per group of files for Parquet.
	PipelineTasks Split(bool few_tasks) const;

private:
	const StagePlan &stage;
	PlannerOptions options;
	TaskSqlWriter sql;
	//! The table has a column of its own called rowid: no SQL can say which rows a task reads
	bool row_number_hidden = false;
	//! Of a scan that workers read themselves
	duckdb::vector<ScanFile> files;
	//! Empty if it could not be read, or if there is none
	std::optional<PartitionInformation> information;
	//! Why it could not be read
	std::optional<duckdb::string> failure;
};

//! The tasks of a stage as they are planned: those of its scan, or one for each partition.
PipelineTasks ExtractPipelineTasks(duckdb::ClientContext &context, const StagePlan &stage,
                                   const duckdb::string &base_sql, const PlannerOptions &options);

//! The part that needs no database: separate so that tests can feed it any layout.
PipelineTasks SplitByInformation(const PartitionInformation &information, const PlannerOptions &options,
                                 bool few_tasks);

} // namespace duckherder
