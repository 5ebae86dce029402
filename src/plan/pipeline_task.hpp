#pragma once

#include "common/ids.hpp"
#include "plan/scan_split.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace duckherder {

//! One unit of distributed work: a fragment and the part of the data it runs on.
struct DistributedPipelineTask {
	TaskId task_id = 0;
	TaskId total_tasks = 0;
	//! Valid SQL of just this task for people; empty where the fragment has no SQL form
	std::string task_sql;
	//! First and last row group read, inclusive, from storage metadata; over all files of the split
	uint64_t row_group_start = 0;
	uint64_t row_group_end = 0;
	//! Rows, half-open, counted over the whole scan (all files); known only if has_rows
	bool has_rows = false;
	uint64_t row_start = 0;
	uint64_t row_end = 0;
	//! Positions of its files in the scan's list, in which a file may stand twice, or of its storage partitions
	std::vector<uint64_t> partition_indices;
	//! The fragment, shared by all tasks of the stage; set when the stage is encoded
	std::shared_ptr<const std::string> serialized_plan;
	ScanSplit split;
	//! Tasks with equal keys read the same bytes, also in later queries: run them at the same worker if it is free
	std::string affinity_key;
};

} // namespace duckherder
