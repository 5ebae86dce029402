#pragma once

#include "duckdb.hpp"
#include "duckdb/common/types/data_chunk.hpp"

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

//! Collects chunks into batches that are worth a message. Used by one thread.
class ArrowRowsEncoder {
public:
	ArrowRowsEncoder(std::shared_ptr<ArrowTypes> types, duckdb::vector<duckdb::LogicalType> columns,
	                 const std::vector<std::string> &names);
	~ArrowRowsEncoder();

	const std::shared_ptr<arrow::Schema> &Schema() const {
		return schema;
	}
	//! The rows are copied. True if there are enough for a batch.
	bool Append(duckdb::DataChunk &chunk);
	//! The rows that were appended since the last one; null if there are none.
	std::shared_ptr<arrow::RecordBatch> Flush();

private:
	std::shared_ptr<ArrowTypes> types;
	const duckdb::vector<duckdb::LogicalType> columns;
	std::shared_ptr<arrow::Schema> schema;
	std::unique_ptr<duckdb::ArrowAppender> appender;
	uint64_t waiting_bytes = 0;
};

} // namespace duckherder
