#pragma once

#include "common/ids.hpp"
#include "plan/pipeline_task.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace duckherder {

//! The kind of an exchange says where the rows of a stage go.
enum class ExchangeKind : uint8_t {
	RESULT = 0,     //! to the user's session, in task order
	HASH = 1,       //! by hash of key columns, one partition per consuming task
	BROADCAST = 2,  //! every consuming task reads everything
	GATHER = 3,     //! everything to one task, in task order
	ROUND_ROBIN = 4 //! batch by batch to the partitions in turn, one partition per consuming task
};

//! Says whether consuming tasks read partitions of the outputs, rather than all of them.
inline bool IsPartitioned(ExchangeKind kind) {
	return kind == ExchangeKind::HASH || kind == ExchangeKind::ROUND_ROBIN;
}

const char *ExchangeKindName(ExchangeKind kind);

//! A join key whose values the scans of other stages will be told. The tasks collect them while they write their
//! output.
struct CollectedKey {
	//! The key is this output column of the stage.
	uint32_t column = 0;
	//! The size of the Bloom filter. It is the same in all tasks.
	uint8_t log2_bits = 0;
};

//! An exchange is the edge from a producing stage to its consumers. It has the number of its producing stage.
struct Exchange {
	ExchangeKind kind = ExchangeKind::RESULT;
	//! These output columns of the stage are hashed. Only HASH has some.
	std::vector<uint32_t> key_columns;
	//! The number is 1 unless the exchange is partitioned.
	uint32_t partition_count = 1;
	//! Only this many columns travel, from the first on. The others were computed only to be hashed. With 0 all travel.
	uint32_t column_count = 0;
	//! The order of the rows within each task's output matters to the consumer.
	bool ordered = true;
	std::vector<CollectedKey> collected_keys;
};

//! A stage as it travels and is scheduled: plain data.
struct Stage {
	StageId id = 0;
	//! The description names the operators, for people, e.g. "HASH_GROUP_BY <- FILTER <- PARQUET_SCAN lineitem".
	std::string description;
	//! The fragment is a serialized DuckDB plan, which all tasks share.
	std::shared_ptr<const std::string> fragment;
	Exchange output;
	//! This stage reads the outputs of these stages. All of them must have finished before one of its tasks starts.
	std::vector<StageId> inputs;
	SplitKind split_kind = SplitKind::NONE;
	std::vector<DistributedPipelineTask> tasks;
};

} // namespace duckherder
