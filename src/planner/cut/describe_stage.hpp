#pragma once

#include "planner/interface/distributed_plan.hpp"

namespace duckherder {

//! The kind of a scan with its table, its file or how many files it has.
duckdb::string DescribeScan(const duckdb::LogicalGet &get);

//! The operators of a stage in one line, root first: the kinds of its joins, the table or file that it scans, and the
//! stages whose output it reads. For EXPLAIN, after the plan is cut.
duckdb::string DescribeStage(const StagePlan &stage, const DistributedPlan &plan);

} // namespace duckherder
