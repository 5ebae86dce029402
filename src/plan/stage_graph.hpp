#pragma once

#include "common/ids.hpp"
#include "plan/pipeline_task.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace duckherder {

//! The kind of an exchange says where the rows of a stage go.
enum class ExchangeKind : uint8_t {
	RESULT = 0,      //! to the user's session, in task order
	HASH = 1,        //! by hash of key columns, one partition per consuming task
	BROADCAST = 2,   //! every consuming task reads everything
	GATHER = 3,      //! everything to one task, in task order
	ROUND_ROBIN = 4, //! batch by batch to the partitions in turn, one partition per consuming task
	RANGE = 5,       //! by ranges of sort keys, which are chosen while the query runs; partitions are in their order
	SAMPLE = 6       //! nowhere: all that its tasks give is a sample of the sort keys
};

constexpr ExchangeKind LAST_EXCHANGE_KIND = ExchangeKind::SAMPLE;

//! Says whether consuming tasks read partitions of the outputs, rather than all of them.
inline bool IsPartitioned(ExchangeKind kind) {
	return kind == ExchangeKind::HASH || kind == ExchangeKind::ROUND_ROBIN || kind == ExchangeKind::RANGE;
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

//! How rows are sorted by one column.
struct KeyOrder {
	bool descending = false;
	bool nulls_first = false;
};

//! An exchange is the edge from a producing stage to its consumers. It has the number of its producing stage.
struct Exchange {
	ExchangeKind kind = ExchangeKind::RESULT;
	//! These output columns of the stage are hashed, or make the sort key.
	std::vector<uint32_t> key_columns;
	//! How rows are sorted, with one entry for each key column. Only exchanges that compare or sample sort keys have
	//! it.
	std::vector<KeyOrder> key_orders;
	//! RANGE: a row goes to the partition whose number is how many of these are not above its sort key. They rise, and
	//! there are fewer than partitions. The session fills them in once it has the samples, see KeySample.
	std::vector<std::string> bounds;
	//! The number is 1 unless the exchange is partitioned.
	uint32_t partition_count = 1;
	//! Only this many columns travel, from the first on. The others were computed only to be keys. With 0 all travel.
	uint32_t column_count = 0;
	//! The order of the rows within each task's output matters to the consumer.
	bool ordered = true;
	std::vector<CollectedKey> collected_keys;

	//! Says whether tasks report a sample of their sort keys.
	bool SamplesKeys() const {
		return kind != ExchangeKind::RANGE && !key_orders.empty();
	}
};

//! The key columns, for people, e.g. "#1 DESC, #0".
std::string KeyNames(const Exchange &exchange);

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
