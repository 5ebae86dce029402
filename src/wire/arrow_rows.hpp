#pragma once

#include "duckdb.hpp"
#include "duckdb/common/types/data_chunk.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace arrow {
class RecordBatch;
class Schema;
} // namespace arrow
namespace duckdb {
class ArrowAppender;
}

//! DataChunks as Arrow record batches for programs that know Arrow but not DuckDB: each type is Arrow's own one that
//! comes nearest, by DuckDB's own converters. What nodes send each other is another form: chunk_codec.hpp.
namespace duckherder {

//! What DuckDB's converters need to look up types: a database of its own, which never has any tables. Thread-safe.
class ArrowTypes {
public:
	ArrowTypes();
	~ArrowTypes();

	//! Throws NotImplementedException for a type that has no form in Arrow. Types that a parameter has yet to decide
	//! are text.
	std::shared_ptr<arrow::Schema> SchemaOf(const duckdb::vector<duckdb::LogicalType> &types,
	                                        const std::vector<std::string> &names);
	//! Likewise, of parameters: times are in milliseconds, as the JDBC driver sends them in whatever unit it is told,
	//! and moments (TIMESTAMPTZ) are text, as it sends them wrongly. Clients that know better send others.
	std::shared_ptr<arrow::Schema> ParameterSchemaOf(const duckdb::vector<duckdb::LogicalType> &types,
	                                                 const std::vector<std::string> &names);
	//! The types of columns that come as Arrow. Throws as above.
	duckdb::vector<duckdb::LogicalType> TypesOf(const arrow::Schema &schema);

	//! Calls `take` with the rows of the batch, at most STANDARD_VECTOR_SIZE at a time; what it is given is only valid
	//! within the call. Throws InvalidInputException if the batch is not consistent in itself.
	void ReadBatch(const std::shared_ptr<arrow::RecordBatch> &batch,
	               const std::function<void(duckdb::DataChunk &)> &take);

private:
	friend class ArrowRowsEncoder;
	duckdb::ClientProperties Properties();

	std::unique_ptr<duckdb::DuckDB> database;
	std::unique_ptr<duckdb::Connection> connection;
};

//! The batch in pieces that are at most CLIENT_BATCH_BYTES_MAX as messages, or one row. They share its buffers.
std::vector<std::shared_ptr<arrow::RecordBatch>> CutBatch(const std::shared_ptr<arrow::RecordBatch> &batch);

//! Collects chunks into batches that are worth a message, and are none too large. Used by one thread.
class ArrowRowsEncoder {
public:
	ArrowRowsEncoder(std::shared_ptr<ArrowTypes> types, duckdb::vector<duckdb::LogicalType> columns,
	                 const std::vector<std::string> &names);
	~ArrowRowsEncoder();

	const std::shared_ptr<arrow::Schema> &Schema() const {
		return schema;
	}
	//! The rows are copied.
	void Append(duckdb::DataChunk &chunk);
	//! No rows follow: those that wait for others become batches too
	void Finish();
	//! The next batch, in the order of the rows; null if there are not enough rows for one yet
	std::shared_ptr<arrow::RecordBatch> Take();

private:
	void Append(duckdb::DataChunk &chunk, duckdb::idx_t begin, duckdb::idx_t end);
	void Encode();

	std::shared_ptr<ArrowTypes> types;
	const duckdb::vector<duckdb::LogicalType> columns;
	std::shared_ptr<arrow::Schema> schema;
	std::unique_ptr<duckdb::ArrowAppender> appender;
	uint64_t waiting_bytes = 0;
	std::deque<std::shared_ptr<arrow::RecordBatch>> ready;
};

} // namespace duckherder
