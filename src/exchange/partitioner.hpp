#pragma once

#include "duckdb.hpp"

#include <cstdint>
#include <vector>

namespace duckherder {

//! Divides rows among the partitions of a hash exchange. Equal keys, in the sense of GROUP BY and of joins, get equal
//! partitions on every worker: NULLs together, 0.0 with -0.0, all NaNs together. A function of the values and types
//! only. Without key columns it is round robin, chunk by chunk. Used by one thread at a time.
class Partitioner {
public:
	//! `partition_count` need not be a power of two
	Partitioner(std::vector<uint32_t> key_columns, uint32_t partition_count);

	//! The partitions of the rows of `chunk`, valid until the next call. The chunk's vectors may be flattened by this.
	const uint32_t *Partition(duckdb::DataChunk &chunk);

private:
	std::vector<uint32_t> key_columns;
	uint32_t partition_count;
	uint32_t next_partition = 0;
	duckdb::Vector hashes;
	std::vector<uint32_t> partitions;
};

} // namespace duckherder
