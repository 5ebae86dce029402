#pragma once

#include "duckdb.hpp"

#include <map>
#include <memory>

namespace duckherder {

//! A row group as storage describes it
struct RowGroupInfo {
	//! Number of the file, 0 for tables
	duckdb::idx_t file = 0;
	//! First row: a rowid of the table, or a row number within the file
	duckdb::idx_t row_start = 0;
	duckdb::idx_t rows = 0;
};

//! Columns of scans, as numbers among the columns that the function returns, by the scan's table index
using ScanColumns = std::map<duckdb::idx_t, duckdb::vector<duckdb::idx_t>>;

//! Smallest and largest key (KeyOf) of one row group
struct KeyBounds {
	int64_t min;
	int64_t max;
};

//! What is known of a scan that is sorted by some of its columns. It does not change once it is made.
struct ClusteredScan {
	//! Without those that have no rows
	duckdb::vector<RowGroupInfo> row_groups;
	struct Column {
		duckdb::LogicalType type;
		//! One for each row group
		duckdb::vector<KeyBounds> bounds;
	};
	//! By their numbers among the columns that the function returns
	std::map<duckdb::idx_t, Column> columns;

	duckdb::idx_t TotalRows() const {
		return row_groups.empty() ? 0 : row_groups.back().row_start + row_groups.back().rows;
	}
};

//! By the scan's table index
using ClusteredScans = std::map<duckdb::idx_t, std::shared_ptr<const ClusteredScan>>;

} // namespace duckherder
