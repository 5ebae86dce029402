#include "exchange/partitioner.hpp"

#include "duckdb/common/vector_operations/vector_operations.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! DuckDB's hash tables, which see the same hash of the same keys in the consuming task, place an entry by the low
//! bits, compare the upper 16 bits first (the salt), and split by radix on the bits below those. Were a partition
//! chosen by any of these bits as they are, each task would see them constant: half-empty tables, or all rows in one
//! radix partition. Multiplying lets the bits used here depend on all bits of the hash, in another way than DuckDB's
//! own mixing: its multiplier would undo nothing, but this one shares no structure with it.
inline uint32_t PartitionOfHash(hash_t hash, uint32_t partition_count) {
	hash ^= hash >> 29;
	hash *= 0x9e3779b97f4a7c15ULL;
	hash ^= hash >> 32;
	hash *= 0xbf58476d1ce4e5b9ULL;
	// the upper 32 bits as a fraction of [0, 1): fair for any number of partitions, and no division
	return static_cast<uint32_t>(((hash >> 32) * partition_count) >> 32);
}

} // namespace

Partitioner::Partitioner(std::vector<uint32_t> key_columns_p, uint32_t partition_count_p)
    : key_columns(std::move(key_columns_p)), partition_count(partition_count_p), hashes(LogicalType::HASH),
      partitions(STANDARD_VECTOR_SIZE) {
}

const uint32_t *Partitioner::Partition(DataChunk &chunk) {
	auto count = chunk.size();
	if (key_columns.empty()) {
		std::fill_n(partitions.begin(), count, next_partition);
		next_partition = (next_partition + 1) % partition_count;
		return partitions.data();
	}
	for (idx_t i = 0; i < key_columns.size(); i++) {
		auto &key = chunk.data.at(key_columns[i]);
		if (i == 0) {
			VectorOperations::Hash(key, hashes, count);
		} else {
			VectorOperations::CombineHash(hashes, key, count);
		}
	}
	hashes.Flatten(count);
	auto hash_data = FlatVector::GetData<hash_t>(hashes);
	for (idx_t i = 0; i < count; i++) {
		partitions[i] = PartitionOfHash(hash_data[i], partition_count);
	}
	return partitions.data();
}

} // namespace duckherder
