#pragma once

#include "duckdb.hpp"

#include <arrow/buffer_builder.h>
#include <arrow/type_fwd.h>

#include <memory>
#include <vector>

namespace duckherder {

//! Some rows of a vector: all of [start, start + count), or those listed. MISSING stands for a NULL without a row.
struct RowSet {
	static constexpr uint32_t MISSING = UINT32_MAX;

	duckdb::idx_t start = 0;
	duckdb::idx_t count = 0;
	//! Null, or `count` row numbers
	const uint32_t *listed = nullptr;

	uint32_t operator[](duckdb::idx_t i) const {
		return listed ? listed[i] : static_cast<uint32_t>(start + i);
	}
};

//! Gathers one column, or one child of a nested column, into Arrow buffers. A tree of these mirrors the type.
//! Used by one thread. Failures of Arrow's allocator are OutOfMemoryExceptions.
class ColumnEncoder {
public:
	explicit ColumnEncoder(const duckdb::LogicalType &type);

	//! Bytes that these rows would add. `total` is the number of rows of the vector, which may be flattened.
	static uint64_t Measure(duckdb::Vector &vector, duckdb::idx_t total, const RowSet &rows);

	void Append(duckdb::Vector &vector, duckdb::idx_t total, const RowSet &rows);
	//! What was appended, in an array of this type; starts anew.
	std::shared_ptr<arrow::ArrayData> Finish(const std::shared_ptr<arrow::DataType> &arrow_type);

private:
	//! The vector in DuckDB's common format, and the rows in terms of it
	struct Source;

	void AppendValidity(const Source &source);
	//! Makes room for as many more bytes of values
	void ReserveData(int64_t bytes);
	void AppendFixed(const Source &source);
	void AppendStrings(const Source &source);
	void AppendDenseStrings(const duckdb::string_t *strings, duckdb::idx_t count);
	void AppendList(const Source &source);
	//! Writes the running ends of values with these lengths
	void AppendOffset(int64_t length);

	duckdb::PhysicalType physical_type;
	duckdb::idx_t width;
	int64_t length = 0;
	int64_t null_count = 0;
	int64_t last_offset = 0;
	//! Bytes of `data` in the last array that was finished
	int64_t last_data_bytes = 0;
	arrow::TypedBufferBuilder<bool> validity;
	//! LIST and VARCHAR: the ends of the values before `data` or the child, beginning with 0
	arrow::TypedBufferBuilder<int64_t> offsets;
	arrow::BufferBuilder data;
	std::vector<std::unique_ptr<ColumnEncoder>> children;
};

} // namespace duckherder
