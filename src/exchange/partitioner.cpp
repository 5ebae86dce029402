#include "exchange/partitioner.hpp"

#include "compat/vectors.hpp"

#include "duckdb/common/vector_operations/vector_operations.hpp"

#include <algorithm>
#include <string_view>

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

//! Where rows go round robin, keys are only sampled
std::vector<uint32_t> PartitionKeys(const Exchange &exchange) {
	return exchange.kind == ExchangeKind::ROUND_ROBIN ? std::vector<uint32_t>() : exchange.key_columns;
}

} // namespace

Partitioner::Partitioner(const Exchange &exchange)
    : key_columns(PartitionKeys(exchange)), bounds(exchange.bounds), partition_count(exchange.partition_count),
      hashes(LogicalType::HASH), partitions(STANDARD_VECTOR_SIZE) {
	if (bounds.size() >= partition_count) {
		throw InternalException("%llu bounds of %llu partitions", idx_t(bounds.size()), idx_t(partition_count));
	}
	if (exchange.kind == ExchangeKind::RANGE) {
		sort_keys.emplace(exchange.key_columns, exchange.key_orders);
	}
}

const uint32_t *Partitioner::Partition(DataChunk &chunk) {
	if (key_columns.empty()) {
		std::fill_n(partitions.begin(), chunk.size(), next_partition);
		next_partition = (next_partition + 1) % partition_count;
	} else if (sort_keys) {
		ByRange(chunk);
	} else {
		ByHash(chunk);
	}
	return partitions.data();
}

void Partitioner::ByRange(DataChunk &chunk) {
	auto count = chunk.size();
	auto &keys = sort_keys->Of(chunk);
	UnifiedVectorFormat format;
	keys.ToUnifiedFormat(count, format);
	auto strings = UnifiedVectorFormat::GetData<string_t>(format);
	for (idx_t i = 0; i < count; i++) {
		auto &key = strings[format.sel->get_index(i)];
		auto above = std::upper_bound(bounds.begin(), bounds.end(), std::string_view(key.GetData(), key.GetSize()));
		partitions[i] = static_cast<uint32_t>(above - bounds.begin());
	}
}

void Partitioner::ByHash(DataChunk &chunk) {
	auto count = chunk.size();
	for (idx_t i = 0; i < key_columns.size(); i++) {
		auto &key = chunk.data.at(key_columns[i]);
		if (i == 0) {
			VectorOperations::Hash(key, hashes, count);
		} else {
			VectorOperations::CombineHash(hashes, key, count);
		}
	}
	hashes.Flatten(count);
	auto hash_data = FlatVector::GetDataMutable<hash_t>(hashes);
	for (idx_t i = 0; i < count; i++) {
		partitions[i] = PartitionOfHash(hash_data[i], partition_count);
	}
}

} // namespace duckherder
