#pragma once

#include "duckdb.hpp"
#include "duckdb/common/types/data_chunk.hpp"

#include <memory>
#include <vector>

namespace arrow {
struct ArrayData;
class RecordBatch;
class Schema;
} // namespace arrow

//! DataChunks as Arrow record batches that carry DuckDB's own representation of each type: a TIMESTAMP is an int64, an
//! ENUM its index, a UNION a struct with a tag, a VARIANT the struct behind it. Both ends know the logical types, so
//! nothing is translated and every value, nested and NULL, comes out with the bits it went in with.
namespace duckherder {

class ColumnEncoder;

//! Whether values of this type are all in its vector: no pointers, no undecided type. Else ChunkEncoder and
//! ChunkDecoder throw NotImplementedException at once.
bool HasWireType(const duckdb::LogicalType &type);

//! The form in which columns of these types travel; a function of the types alone.
std::shared_ptr<arrow::Schema> WireSchema(const duckdb::vector<duckdb::LogicalType> &types);

//! What its buffers take
uint64_t BytesOf(const arrow::RecordBatch &batch);

//! Collects chunks into batches that are worth a message. Used by one thread.
class ChunkEncoder {
public:
	explicit ChunkEncoder(duckdb::vector<duckdb::LogicalType> types);
	~ChunkEncoder();

	const std::shared_ptr<arrow::Schema> &Schema() const {
		return schema;
	}

	//! Takes rows of `chunk` from row `position` on and moves it forward. Returns a batch as soon as one has BATCH_ROWS
	//! or about BATCH_BYTES, else null: then all rows were taken. Call again until `position` is the chunk's size. The
	//! rows are copied; vectors of `chunk` may be flattened.
	//! Throws OutOfRangeException for a row larger than MESSAGE_BYTES_MAX.
	std::shared_ptr<arrow::RecordBatch> Append(duckdb::DataChunk &chunk, duckdb::idx_t &position);
	//! The rows that still wait, null if there are none.
	std::shared_ptr<arrow::RecordBatch> Flush();

	//! What the rows that wait take, about
	uint64_t WaitingBytes() const {
		return waiting_bytes;
	}
	//! Rows that went into the encoder so far
	uint64_t RowCount() const {
		return row_count;
	}

private:
	uint64_t Measure(duckdb::DataChunk &chunk, duckdb::idx_t position, duckdb::idx_t count) const;
	//! How many rows from `position` on still go into the batch, and their bytes; 0 if it has to be finished first
	duckdb::idx_t RowsThatFit(duckdb::DataChunk &chunk, duckdb::idx_t position, uint64_t &bytes) const;

	duckdb::vector<duckdb::LogicalType> types;
	std::shared_ptr<arrow::Schema> schema;
	std::vector<std::unique_ptr<ColumnEncoder>> columns;
	duckdb::idx_t waiting_rows = 0;
	uint64_t waiting_bytes = 0;
	uint64_t row_count = 0;
};

//! Turns batches back into chunks, one batch after another. Used by one thread.
class ChunkDecoder {
public:
	explicit ChunkDecoder(duckdb::vector<duckdb::LogicalType> types);

	//! The batch to read from now on. Throws IOException if it is not of the WireSchema, inconsistent in itself, or
	//! larger than any that an encoder makes.
	void SetBatch(std::shared_ptr<arrow::RecordBatch> batch);
	//! The next rows of the batch, at most STANDARD_VECTOR_SIZE; leaves `chunk` empty at its end or without a batch.
	//! Strings and, mostly, vectors of fixed width point into the batch: valid until the next call of SetBatch and the
	//! decoder's end. `chunk` has been initialized with the types. Throws IOException for offsets that lead out of the
	//! batch and values that their type does not have.
	void Next(duckdb::DataChunk &chunk);

private:
	duckdb::vector<duckdb::LogicalType> types;
	std::shared_ptr<arrow::Schema> schema;
	std::shared_ptr<arrow::RecordBatch> batch;
	//! Of the batch, fit to be decoded
	std::vector<std::shared_ptr<arrow::ArrayData>> columns;
	duckdb::idx_t position = 0;
};

} // namespace duckherder
