#pragma once

#include "compat/names.hpp"
#include "compat/scan_serialization.hpp"

#include "duckdb.hpp"
#include "duckdb/common/multi_file/multi_file_options.hpp"

#include <optional>
#include <string>

namespace duckherder {

//! What the session has bound of a scan of many files, and no worker binds again: names, types and hive columns come
//! from the first file of the whole list, or from all of them, and a worker has a part of the list only.
struct BoundScan {
	duckdb::vector<duckdb::Identifier> names;
	duckdb::vector<duckdb::LogicalType> types;
	duckdb::MultiFileReaderBindData reader_bind;
	//! With what was found out about hive columns
	duckdb::MultiFileOptions options;
};

//! While it lives, Parquet scans of the operators are serialized as bound scans: in place of the list of files, which
//! each task brings for itself, DuckDB's own serialization carries one name that is a BoundScan in bytes.
class SerializeBoundScans {
public:
	explicit SerializeBoundScans(const duckdb::vector<duckdb::reference<duckdb::LogicalOperator>> &operators);
	SerializeBoundScans(const SerializeBoundScans &) = delete;
	SerializeBoundScans &operator=(const SerializeBoundScans &) = delete;

private:
	std::vector<SerializedAsOneFile> scans;
};

//! Of the list of files that a scan was deserialized with; nothing if it is an ordinary list. Throws a
//! SerializationException if the bytes are damaged.
std::optional<BoundScan> DecodeBoundScan(const duckdb::vector<duckdb::string> &paths);

//! Reads Parquet files itself, from a list that can be cut.
bool IsParquetScan(const duckdb::LogicalGet &get);

} // namespace duckherder
