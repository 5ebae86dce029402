#pragma once

#include "wire/arrow_rows.hpp"
#include "protocol/database_service.hpp"
#include "transport/flight_sql/flight_sql_messages.hpp"
#include "transport/flight_sql/flight_sql_statements.hpp"

#include <arrow/record_batch.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

//! What Flight SQL tells about a database: its catalogs, schemas, tables, keys and types, and what the server can do.
namespace duckherder::flight_sql {

//! The schema of the rows that answer a command, as the protocol has it; null if the command asks for no such thing.
//! Throws as its reader does.
std::shared_ptr<arrow::Schema> MetadataSchema(const Packed &command);

//! Looks into the database for the answers
struct MetadataSource {
	std::shared_ptr<ArrowTypes> types;
	//! The rows of a query
	std::function<std::shared_ptr<arrow::RecordBatch>(const std::string &sql, const ParameterRow &parameters)> query;
	//! What a query would return
	std::function<ResultShape(const std::string &sql)> describe;
	bool read_only = false;
};
//! The rows. Throws what `source` throws.
std::shared_ptr<arrow::RecordBatch> MetadataRows(const Packed &command, const MetadataSource &source);

//! SqlInfo: all, or those with these numbers
std::shared_ptr<arrow::Schema> SqlInfoSchema();
std::shared_ptr<arrow::RecordBatch> SqlInfoRows(const std::vector<uint32_t> &wanted, bool read_only);

//! A schema as bytes of Arrow's IPC format
std::string SchemaBytes(const arrow::Schema &schema);

} // namespace duckherder::flight_sql
