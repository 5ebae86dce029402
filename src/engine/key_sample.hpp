#pragma once

#include "engine/sort_keys.hpp"

#include "duckdb/common/random_engine.hpp"

#include <string>
#include <vector>

namespace duckherder {

//! A sample of the sort keys of a task's rows, from which the bounds of a RANGE exchange are chosen. Of long keys it
//! has the first bytes only: that makes ranges a little uneven, but no row belongs to another one than before.
struct KeySample {
	//! Most keys that one writer takes, and that a task reports
	static constexpr size_t WRITER_KEYS_MAX = 512;
	static constexpr size_t KEYS_MAX = 2048;
	static constexpr size_t KEY_BYTES_MAX = 512;

	//! What one writer has taken of the rows that it saw. Each of these was as likely to be taken as any other.
	struct Part {
		uint64_t rows = 0;
		std::vector<std::string> keys;
	};
	std::vector<Part> parts;

	//! Adds what a writer has; thins all parts out if there are more than KEYS_MAX keys.
	void Add(Part part);
	size_t KeyCount() const;

	std::string Encode() const;
	//! Throws SerializationException for bytes that are not a sample
	static KeySample Decode(const std::string &bytes);
};

//! Takes a sample of the rows that one thread writes: a reservoir, with the number of rows to leave out drawn at random
//! (Li: "Reservoir-Sampling Algorithms of Time Complexity O(n(1+log(N/n)))", 1994, algorithm L).
class KeySampler {
public:
	//! As for SortKeys
	KeySampler(std::vector<uint32_t> columns, const std::vector<KeyOrder> &orders);

	void Add(duckdb::DataChunk &rows);
	//! What has been taken. Called once, at the end.
	KeySample::Part Finish() {
		return std::move(part);
	}

private:
	double Random();
	//! Draws the number of the next row that is taken
	void LeaveOut();

	SortKeys sort_keys;
	KeySample::Part part;
	duckdb::RandomEngine random;
	uint64_t next_row = 0;
	double weight = 1;
};

//! At most `partitions` - 1 keys that rise, and between which there are about equally many of the rows that were
//! sampled. Fewer if some keys are frequent: equal rows stay together. Throws InternalException for 0 partitions.
std::vector<std::string> ChooseBounds(const std::vector<KeySample> &samples, uint32_t partitions);

} // namespace duckherder
