#pragma once

#include "exchange/output_buffer.hpp"
#include "engine/key_sample.hpp"
#include "exchange/partitioner.hpp"
#include "plan/stage_graph.hpp"

#include "duckdb.hpp"

#include <vector>

namespace duckherder {

//! Splits the chunks of one thread into partitions and appends them to a lane. A few rows for a partition wait in a
//! small buffer until an append is worth it. Used by one thread.
class PartitionAppender {
public:
	//! `buffer` and `lane` must outlive it
	PartitionAppender(OutputBuffer &buffer, OutputLane &lane, const Exchange &exchange);

	//! May flatten the vectors of `rows`. `order` as in OutputLane::Append.
	void Append(duckdb::DataChunk &rows, duckdb::idx_t order);
	//! Hands over what still waits. Called once, at the end.
	void Finish();

private:
	void FlushBuffers();
	void AppendPartitions(duckdb::DataChunk &rows, const uint32_t *partitions);
	void AppendToPartition(duckdb::DataChunk &rows, uint32_t partition, const duckdb::SelectionVector &selection,
	                       duckdb::idx_t count);
	void CountBytes(duckdb::DataChunk &rows, const uint32_t *partitions);

	OutputBuffer &buffer;
	OutputLane &lane;
	const bool keeps_rows;
	//! Absent with one partition
	std::unique_ptr<Partitioner> partitioner;
	//! Absent if nobody asks for a sample
	std::unique_ptr<KeySampler> sampler;
	//! The columns that travel
	duckdb::DataChunk travelling;
	duckdb::DataChunk slice;
	duckdb::idx_t current_order = 0;
	//! Row numbers sorted by partition, and where each partition's begin
	duckdb::SelectionVector sorted_rows;
	std::vector<uint32_t> partition_ends;
	std::vector<duckdb::unique_ptr<duckdb::DataChunk>> waiting;
	std::vector<uint64_t> bytes;
	//! Columns whose values are collected, and what has been so far
	std::vector<CollectedKey> collected_keys;
	std::vector<KeySet> key_sets;
	duckdb::idx_t chunks = 0;
};

} // namespace duckherder
