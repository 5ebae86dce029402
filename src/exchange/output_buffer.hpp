#pragma once

#include "engine/key_sample.hpp"
#include "engine/key_set.hpp"
#include "protocol/chunk_source.hpp"

#include "duckdb.hpp"
#include "duckdb/common/types/column/column_data_collection.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

namespace duckherder {

class OutputLane;

//! The output of one task attempt, by partition: memory of the worker's DuckDB, which moves to disk under its
//! memory_limit. Life: lanes are written (by one or several threads), Finish, then read any number of times.
//! Owned through shared_ptr by the output store and by every open source; keeps the database alive.
class OutputBuffer : public std::enable_shared_from_this<OutputBuffer> {
public:
	OutputBuffer(duckdb::shared_ptr<duckdb::DatabaseInstance> db, duckdb::vector<duckdb::LogicalType> types,
	             uint32_t partition_count);
	~OutputBuffer();

	const duckdb::vector<duckdb::LogicalType> &Types() const {
		return types;
	}
	uint32_t PartitionCount() const {
		return partition_count;
	}

	//! A place to write. Thread-safe.
	OutputLane &AddLane();
	//! No writer is left: puts the pieces of each partition in order and counts them. Called once.
	void Finish();

	//! Counts bytes of rows that were appended. Thread-safe, before Finish.
	void AddBytes(const std::vector<uint64_t> &bytes_by_partition);

	//! What the key sets of this output are to be, all empty; before anything is written
	void CollectKeys(std::vector<KeySet> empty_sets);
	const std::vector<KeySet> &KeySets() const {
		return key_sets;
	}
	//! Adds what one writer has collected. Thread-safe, before Finish.
	void MergeKeys(const std::vector<KeySet> &collected);

	//! Adds what one writer has taken of the sort keys. Thread-safe, before Finish.
	void AddSample(KeySample::Part part);
	//! After Finish
	const KeySample &Sample() const {
		return sample;
	}

	//! Looks how much the database has in temporary files. Thread-safe.
	void SampleSpill();
	uint64_t SpilledBytes() const {
		return spilled_bytes;
	}

	//! Rows and uncompressed bytes of each partition; after Finish
	const std::vector<uint64_t> &PartitionRows() const {
		return partition_rows;
	}
	const std::vector<uint64_t> &PartitionBytes() const {
		return partition_bytes;
	}

	//! All rows of `count` partitions from this one on, in order, for as many readers as their size is worth. After
	//! Finish; thread-safe.
	std::shared_ptr<ChunkSource> Open(uint32_t partition, uint32_t count = 1);

	duckdb::DatabaseInstance &Database() {
		return *db;
	}

private:
	friend class OutputSource;
	friend class OutputReader;

	//! Rows of one lane that follow each other in the output
	struct Piece {
		const duckdb::ColumnDataCollection *rows;
		duckdb::idx_t row_start;
		duckdb::idx_t row_count;
	};
	//! Pieces [first, last) that one reader takes at a time; its number is the batch index
	struct Unit {
		duckdb::idx_t first;
		duckdb::idx_t last;
	};
	struct Partition {
		std::vector<Piece> pieces;
		std::vector<Unit> units;
	};

	void FinishPartition(uint32_t partition);

	//! First member: the lanes' memory belongs to it
	duckdb::shared_ptr<duckdb::DatabaseInstance> db;
	duckdb::vector<duckdb::LogicalType> types;
	uint32_t partition_count;
	std::mutex lock;
	std::vector<std::unique_ptr<OutputLane>> lanes;
	std::vector<Partition> partitions;
	std::vector<uint64_t> partition_rows;
	std::vector<uint64_t> partition_bytes;
	std::vector<KeySet> key_sets;
	KeySample sample;
	std::atomic<uint64_t> spilled_bytes {0};
};

//! One writer's part of an output buffer. A lane that one thread writes keeps the order of rows; several threads may
//! share a lane when order does not matter.
class OutputLane {
public:
	explicit OutputLane(OutputBuffer &buffer);
	~OutputLane();

	//! Appends a copy of the rows to a partition. `order` sorts the rows of all lanes within the partition, equal ones
	//! by lane; within a lane it must not fall from call to call. May flatten the vectors of `rows`. Thread-safe.
	void Append(uint32_t partition, duckdb::DataChunk &rows, duckdb::idx_t order);

private:
	friend class OutputBuffer;

	//! Rows with the same order
	struct Run {
		const duckdb::ColumnDataCollection *rows;
		duckdb::idx_t order;
		duckdb::idx_t row_start;
		duckdb::idx_t row_count;
	};
	struct Slot {
		std::mutex lock;
		//! The first has blocks that partitions share, the second, for what comes when that is large, its own
		std::vector<duckdb::unique_ptr<duckdb::ColumnDataCollection>> rows;
		duckdb::ColumnDataAppendState append;
		std::vector<Run> runs;
	};

	//! Where the next rows of a partition go
	duckdb::ColumnDataCollection &RowsOf(Slot &slot);

	OutputBuffer &buffer;
	//! Shared by the partitions: a block of its own for each would be 256 KB for a handful of rows. But who reads one
	//! partition of many loads all of such blocks, if they have moved to disk.
	duckdb::shared_ptr<duckdb::ColumnDataAllocator> allocator;
	//! Of the values of a row that have a fixed size
	duckdb::idx_t row_bytes = 0;
	//! The blocks that are being written stay in memory between two appends.
	bool pinned;
	//! One per partition
	std::unique_ptr<Slot[]> slots;
};

} // namespace duckherder
