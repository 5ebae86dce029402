#include "wire/checksum.hpp"

#include "duckdb.hpp"
#include "duckdb/common/checksum.hpp"

#include <arrow/array/array_base.h>
#include <arrow/array/data.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>

namespace duckherder {

namespace {

//! As duckdb::Checksum, which calls a function of another library for each word.
uint64_t ChecksumOf(const uint8_t *bytes, size_t size) {
	constexpr uint64_t FACTOR = 0xbf58476d1ce4e5b9ULL;
	constexpr uint64_t START = 5381;
	auto words = size / sizeof(uint64_t);
	// Several sums at a time, as a product takes longer than the time until the next one can begin
	constexpr size_t LANES = 4;
	uint64_t sums[LANES] = {};
	size_t i = 0;
	for (; i + LANES <= words; i += LANES) {
		uint64_t values[LANES];
		memcpy(values, bytes + i * sizeof(uint64_t), sizeof(values));
		for (size_t lane = 0; lane < LANES; lane++) {
			sums[lane] ^= values[lane] * FACTOR;
		}
	}
	auto result = START ^ sums[0] ^ sums[1] ^ sums[2] ^ sums[3];
	for (; i < words; i++) {
		result ^= duckdb::Load<uint64_t>(bytes + i * sizeof(uint64_t)) * FACTOR;
	}
	if (auto rest = size % sizeof(uint64_t)) {
		// It only reads, but takes a pointer that it could write to.
		result ^= START ^ duckdb::Checksum(const_cast<uint8_t *>(bytes + size - rest), rest);
	}
	return result;
}

class Sum {
public:
	void Add(uint64_t number) {
		value = (value ^ number) * MULTIPLIER;
	}

	//! Empty buffers may be left out on the way
	void Add(const std::shared_ptr<arrow::Buffer> &buffer) {
		if (buffer && buffer->size() > 0) {
			Add(static_cast<uint64_t>(buffer->size()));
			Add(ChecksumOf(buffer->data(), static_cast<size_t>(buffer->size())));
		}
	}

	void AddLengths(const arrow::ArrayData &array) {
		Add(static_cast<uint64_t>(array.length));
		for (auto &child : array.child_data) {
			AddLengths(*child);
		}
	}

	//! In the order in which they are sent
	void AddBuffers(const arrow::ArrayData &array) {
		for (auto &buffer : array.buffers) {
			Add(buffer);
		}
		for (auto &child : array.child_data) {
			AddBuffers(*child);
		}
	}

	void AddLengths(const arrow::RecordBatch &batch) {
		Add(static_cast<uint64_t>(batch.num_rows()));
		for (int i = 0; i < batch.num_columns(); i++) {
			AddLengths(*batch.column_data(i));
		}
	}

	uint64_t value = 0;

private:
	//! Odd, so that multiplying loses nothing
	static constexpr uint64_t MULTIPLIER = 0x9e3779b97f4a7c15ULL;
};

} // namespace

uint64_t ChecksumOf(const std::string &bytes) {
	return ChecksumOf(reinterpret_cast<const uint8_t *>(bytes.data()), bytes.size());
}

uint64_t ChecksumOf(const arrow::RecordBatch &batch, const std::vector<std::shared_ptr<arrow::Buffer>> &body) {
	Sum sum;
	sum.AddLengths(batch);
	for (auto &buffer : body) {
		sum.Add(buffer);
	}
	return sum.value;
}

uint64_t ChecksumOf(const arrow::RecordBatch &received) {
	Sum sum;
	sum.AddLengths(received);
	for (int i = 0; i < received.num_columns(); i++) {
		sum.AddBuffers(*received.column_data(i));
	}
	return sum.value;
}

} // namespace duckherder
