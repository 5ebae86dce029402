#pragma once

#include "engine/sort_keys.hpp"
#include "plan/stage_graph.hpp"

#include "duckdb.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace duckherder {

//! Divides rows among the partitions of an exchange. By hash, equal keys, in the sense of GROUP BY and of joins, get
//! equal partitions on every worker: NULLs together, 0.0 with -0.0, all NaNs together. By range, rows of a lower
//! partition come before those of a higher one in the order of the exchange. Both are a function of the values and
//! types only. Round robin goes chunk by chunk. Used by one thread at a time.
class Partitioner {
public:
	//! For an exchange of a partitioned kind; its number of partitions need not be a power of two. Throws
	//! InternalException if it has as many bounds as partitions, or more.
	explicit Partitioner(const Exchange &exchange);

	//! The partitions of the rows of `chunk`, valid until the next call. The chunk's vectors may be flattened by this.
	const uint32_t *Partition(duckdb::DataChunk &chunk);

private:
	void ByHash(duckdb::DataChunk &chunk);
	void ByRange(duckdb::DataChunk &chunk);

	//! None for round robin
	const std::vector<uint32_t> key_columns;
	const std::vector<std::string> bounds;
	const uint32_t partition_count;
	//! By range only
	std::optional<SortKeys> sort_keys;
	uint32_t next_partition = 0;
	duckdb::Vector hashes;
	std::vector<uint32_t> partitions;
};

} // namespace duckherder
