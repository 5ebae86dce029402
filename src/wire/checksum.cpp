#include "wire/checksum.hpp"

#include "duckdb.hpp"
#include "duckdb/common/checksum.hpp"

#include <arrow/array/array_base.h>
#include <arrow/array/data.h>
#include <arrow/buffer.h>
#include <arrow/record_batch.h>

namespace duckherder {

namespace {

class Sum {
public:
	void Add(uint64_t number) {
		value = (value ^ number) * MULTIPLIER;
	}

	//! Empty buffers may be left out on the way
	void Add(const std::shared_ptr<arrow::Buffer> &buffer) {
		if (buffer && buffer->size() > 0) {
			Add(static_cast<uint64_t>(buffer->size()));
			// it only reads, but takes a pointer that it could write to
			Add(duckdb::Checksum(const_cast<uint8_t *>(buffer->data()), static_cast<size_t>(buffer->size())));
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
	return duckdb::Checksum(duckdb::data_ptr_cast(const_cast<char *>(bytes.data())), bytes.size());
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
