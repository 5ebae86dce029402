#pragma once

#include "common/ids.hpp"
#include "plan/pipeline_task.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace duckherder {

//! What one producing stage has put into the partitions of its exchange.
struct PartitionedInput {
	StageId stage = 0;
	//! The bytes are uncompressed: bytes[producing task][partition].
	std::vector<std::vector<uint64_t>> bytes;
	//! Each row of it may meet the rows of the other inputs in any task, as long as that task has all of those. That
	//! holds for the probe side of a join and for rows that are only filtered, but not for what a group, a window or a
	//! LIMIT is made of.
	bool may_slice = false;
};

//! A part of a stage's input as one task: a range of partitions, or a slice of one.
struct PartitionTask {
	uint32_t partition = 0;
	uint32_t partition_count = 1;
	//! The slice is set if the task reads only a slice.
	std::optional<OutputSlice> slice;
	uint64_t bytes = 0;
};

struct AssignmentOptions {
	//! Large and even data gets this many tasks.
	uint32_t wanted_tasks = 1;
	//! A task of fewer bytes is not worth its overhead.
	uint64_t min_task_bytes = 0;
};

//! Assigns the partitions of a stage's partitioned inputs to tasks by their real sizes, in order. Small neighbours go
//! together. A partition that is much too large is cut along the tasks that produced it, and each slice reads all of
//! the other inputs. All inputs have the same number of partitions. Every row of the inputs is read by exactly one
//! task, except those of the inputs beside a slice. The way of cutting is that of Spark's adaptive execution (skew join
//! optimization). There is at least one task, even if there are no bytes.
std::vector<PartitionTask> AssignPartitions(const std::vector<PartitionedInput> &inputs, uint32_t partition_count,
                                            const AssignmentOptions &options);

} // namespace duckherder
