#pragma once

#include "duckdb.hpp"
#include "duckdb/common/types/value.hpp"
#include "duckdb/parser/parsed_data/create_info.hpp"
#include "duckdb/storage/table_storage_info.hpp"

#include <string>
#include <vector>

//! Definitions of schemas, tables, views and so on as bytes. Stateless, thread-safe.
namespace duckherder {

//! A column that a table has beside those of its definition, such as rowid
struct VirtualColumn {
	duckdb::column_t id = 0;
	std::string name;
	duckdb::LogicalType type;
};

//! One entry of a catalog
struct CatalogItem {
	duckdb::unique_ptr<duckdb::CreateInfo> definition;
	//! Of tables: which columns have indexes, which decides how updates and conflicts are planned
	std::vector<duckdb::IndexInfo> indexes;
	std::vector<VirtualColumn> virtual_columns;
	//! Of tables: what identifies a row in UPDATE and DELETE
	std::vector<duckdb::column_t> row_id_columns;
	//! Of tables: an UPDATE needs all columns, as it writes the rows anew
	bool updates_whole_rows = false;
	//! Of sequences: the next number; the definition says where it started
	int64_t counter = 0;
};

//! Throw SerializationException
std::string EncodeCatalogItems(const std::vector<CatalogItem> &items);
std::vector<CatalogItem> DecodeCatalogItems(const std::string &bytes);

//! CREATE, ALTER, DROP. Throw SerializationException.
std::string EncodeDefinition(const duckdb::ParseInfo &definition);
duckdb::unique_ptr<duckdb::ParseInfo> DecodeDefinition(const std::string &bytes);

} // namespace duckherder
