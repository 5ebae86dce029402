#pragma once

#include "duckdb.hpp"

#include <memory>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace duckherder {

//! What the tasks of a build side know together of the values of one join key: the smallest and the largest, all of
//! them while there are few, a Bloom filter when there are many. It may contain more than was added, never less, so a
//! row whose key it does not contain finds no partner. NULL is never in it.
//!
//! The Bloom filter is a blocked one with 64-bit blocks: one memory access per look-up (Putze, Sanders, Singler:
//! "Cache-, Hash- and Space-Efficient Bloom Filters", 2007). Two of the same size merge by OR.
//! Adding is for one thread at a time; looking up is for any number of threads.
class KeySet {
public:
	static constexpr uint8_t LOG2_BITS_MIN = 18;
	static constexpr uint8_t LOG2_BITS_MAX = 25;

	//! Whether values of this type can be collected: DuckDB has to order them as integers, or they are strings
	static bool Supports(const duckdb::LogicalType &type);
	//! Bits of the filter for about so many different values, LOG2_BITS_MIN to LOG2_BITS_MAX
	static uint8_t Log2BitsFor(uint64_t keys);

	//! Throws InvalidInputException for a type that is not supported or a size out of bounds
	KeySet(duckdb::LogicalType type, uint8_t log2_bits);

	void Add(duckdb::Vector &keys, duckdb::idx_t count);
	//! Of the same type and size, otherwise InternalException
	void Merge(const KeySet &other);

	//! The same with as few bits as its values need: smaller to send, faster to look into. Not to be merged any more.
	KeySet Fitted() const;
	//! Of the same type and size, without values
	KeySet EmptyCopy() const {
		return KeySet(type, log2_bits);
	}
	const duckdb::LogicalType &Type() const {
		return type;
	}
	uint8_t Log2Bits() const {
		return log2_bits;
	}
	bool Empty() const {
		return empty;
	}
	//! NULL if there is no range: no values, or strings
	const duckdb::Value &Smallest() const {
		return smallest;
	}
	const duckdb::Value &Largest() const {
		return largest;
	}
	//! All values, or empty if there are too many to list
	duckdb::vector<duckdb::Value> Values() const;
	//! Most look-ups would say yes: the filter is too full to be of use
	bool Saturated() const;

	//! To be called once before MayContain, when nothing is added any more
	void PrepareLookUps() {
		UseBits();
	}
	bool MayContain(duckdb::hash_t hash) const {
		auto mask = MaskOf(hash);
		return (bits[BlockOf(hash)] & mask) == mask;
	}

	std::string Encode() const;
	//! Throws SerializationException for bytes that are not a key set
	static KeySet Decode(const std::string &bytes);

private:
	//! Decode, with errors that do not say what they are about
	static KeySet DecodeUnnamed(const std::string &bytes);
	static uint64_t MaskOf(duckdb::hash_t hash) {
		return (1ULL << (hash & 63)) | (1ULL << ((hash >> 6) & 63)) | (1ULL << ((hash >> 12) & 63)) |
		       (1ULL << ((hash >> 18) & 63));
	}
	uint64_t BlockOf(duckdb::hash_t hash) const {
		// the upper bits of a product depend on all bits; the mask is made of the lower ones
		return (hash * 0x9e3779b97f4a7c15ULL) >> (64 - log2_bits + 6);
	}
	void AddHash(duckdb::hash_t hash);
	void UseBits();
	//! Neither bits nor blocks yet
	bool UsesHashes() const {
		return bits.empty() && blocks.empty();
	}
	void AddBlocks(const std::vector<std::pair<uint32_t, uint64_t>> &more);
	//! The blocks, or those of the bits where these take fewer bytes; else empty
	std::vector<std::pair<uint32_t, uint64_t>> FewBlocks() const;
	uint64_t BitsSet() const;
	void Widen(const duckdb::Value &low, const duckdb::Value &high);

	duckdb::LogicalType type;
	uint8_t log2_bits;
	bool empty = true;
	duckdb::Value smallest;
	duckdb::Value largest;
	//! Different values, until there are too many
	duckdb::vector<duckdb::Value> values;
	bool values_complete = true;
	//! Hashes of different values; moved into the bits when there are many
	std::unordered_set<duckdb::hash_t> hashes;
	std::vector<uint64_t> bits;
	//! Those of the bits' blocks that are not zero, by number, while the set is as it came with few
	std::vector<std::pair<uint32_t, uint64_t>> blocks;
};

} // namespace duckherder
