#pragma once

#include "common/ids.hpp"
#include "plan/pipeline_task.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace duckherder {

//! Where the rows of a stage go.
enum class ExchangeKind : uint8_t {
	RESULT = 0,     //! to the user's session, in task order
	HASH = 1,       //! by hash of key columns, one partition per consuming task
	BROADCAST = 2,  //! every consuming task reads everything
	GATHER = 3,     //! everything to one task, in task order
	ROUND_ROBIN = 4 //! batch by batch to the partitions in turn, one partition per consuming task
};

//! Whether consuming tasks read partitions of the outputs, rather than all of them.
inline bool IsPartitioned(ExchangeKind kind) {
	return kind == ExchangeKind::HASH || kind == ExchangeKind::ROUND_ROBIN;
}

const char *ExchangeKindName(ExchangeKind kind);

//! The values of a join key that the scans of other stages are to be told: the tasks collect them while they write.
struct CollectedKey {
	//! Output column of the stage
	uint32_t column = 0;
	//! Size of the Bloom filter, the same in all tasks
	uint8_t log2_bits = 0;
};

//! Names the edge from a producing stage to its consumers. An exchange has the number of its producing stage.
struct Exchange {
	ExchangeKind kind = ExchangeKind::RESULT;
	//! Output columns of the stage that are hashed; only HASH has some
	std::vector<uint32_t> key_columns;
	//! 1 unless the exchange is partitioned
	uint32_t partition_count = 1;
	//! Only the first so many columns travel, the rest was computed to be hashed; 0: all travel
	uint32_t column_count = 0;
	//! The order of rows within each task's output matters to the consumer
	bool ordered = true;
	std::vector<CollectedKey> collected_keys;
};

//! A stage as it travels and is scheduled: plain data.
struct Stage {
	StageId id = 0;
	//! For people: the operators, e.g. "HASH_GROUP_BY <- FILTER <- PARQUET_SCAN lineitem"
	std::string description;
	//! Serialized DuckDB plan, shared by all tasks
	std::shared_ptr<const std::string> fragment;
	Exchange output;
	//! Stages whose output this one reads; all must have finished before a task of this stage starts
	std::vector<StageId> inputs;
	SplitKind split_kind = SplitKind::NONE;
	std::vector<DistributedPipelineTask> tasks;
};

} // namespace duckherder
