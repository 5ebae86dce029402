#pragma once

#include "common/ids.hpp"
#include "plan/pipeline_task.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace duckherder {

//! What one producing stage has put into the partitions of its hash exchange.
struct PartitionedInput {
	StageId stage = 0;
	//! Uncompressed bytes: bytes[producing task][partition]
	std::vector<std::vector<uint64_t>> bytes;
	//! Each row of it may meet the rows of the other inputs in any task, as long as that task has all of those: the
	//! probe side of a join, rows that are only filtered. Not what a group, a window or a LIMIT is made of.
	bool may_slice = false;
};

//! A part of a stage's input as one task: a range of partitions, or a slice of one.
struct PartitionTask {
	uint32_t partition = 0;
	uint32_t partition_count = 1;
	//! If it is a slice
	std::optional<OutputSlice> slice;
	uint64_t bytes = 0;
};

struct AssignmentOptions {
	//! Tasks when the data is large and even
	uint32_t wanted_tasks = 1;
	//! A task of fewer bytes is not worth its overhead
	uint64_t min_task_bytes = 0;
};

//! Deals the partitions of a stage's hash inputs out to tasks by their real sizes, in order: small neighbours go
//! together, one that is much too large is cut along the tasks that produced it, its other inputs being read by each
//! slice. All inputs have the same number of partitions. Every row of the inputs is read by exactly one task, except
//! the inputs beside a slice. The way of cutting is that of Spark's adaptive execution (skew join optimization). At
//! least one task, even if there are no bytes.
std::vector<PartitionTask> AssignPartitions(const std::vector<PartitionedInput> &inputs, uint32_t partition_count,
                                            const AssignmentOptions &options);

} // namespace duckherder
