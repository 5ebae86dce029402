#pragma once

#include "plan/stage_graph.hpp"

#include "duckdb.hpp"
#include "duckdb/function/create_sort_key.hpp"

#include <vector>

namespace duckherder {

//! Makes the sort keys of rows: bytes that compare, one by one, as ORDER BY compares the rows. They are those of
//! DuckDB's create_sort_key, which its own sort uses. Used by one thread at a time.
class SortKeys {
public:
	//! `orders` has one entry for each of `columns`, or InternalException is thrown.
	SortKeys(std::vector<uint32_t> columns, const std::vector<KeyOrder> &orders);

	//! A vector of BLOB, valid until the next call; it may be a constant one. `picked`: only of these rows. Throws
	//! InternalException if `rows` has no such column.
	duckdb::Vector &Of(duckdb::DataChunk &rows);
	duckdb::Vector &Of(duckdb::DataChunk &rows, const duckdb::SelectionVector &picked, duckdb::idx_t count);

private:
	std::vector<uint32_t> columns;
	duckdb::vector<duckdb::OrderModifiers> modifiers;
	//! References to the key columns
	duckdb::DataChunk input;
	duckdb::DataChunk keys;
};

} // namespace duckherder
