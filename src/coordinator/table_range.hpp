#pragma once

#include "plan/scan_split.hpp"

#include "duckdb.hpp"
#include "duckdb/execution/operator/scan/physical_table_scan.hpp"
#include "duckdb/planner/operator/logical_get.hpp"
#include "duckdb/storage/table/scan_state.hpp"

#include <memory>

namespace duckherder {

//! The row groups of a native table that hold the rows of one range. DuckDB's own scan function begins with the first
//! row group whatever the filters on row numbers say, because it has no statistics of these: every task would look at
//! every row of the table. Its readers share the range, each row group goes to one of them. Open is thread-safe.
class TableRange {
public:
	//! The scan is one of a native table, and the split is a part of it.
	static bool CanRead(const duckdb::LogicalGet &get, const ScanSplit &split);

	//! Looks for the row groups. `get` may go before this.
	TableRange(duckdb::ClientContext &context, const duckdb::LogicalGet &get, const RowRange &rows);

	//! The first row that belongs to the range if rows before it are in the same row group, which a filter has to take
	//! out then; else 0.
	duckdb::idx_t FirstRowToFilter() const {
		return first_row_to_filter;
	}
	duckdb::idx_t RowGroupCount() const {
		return row_group_count;
	}

	//! One thread's part. The range outlives it, as does the scan.
	class Reader {
	public:
		Reader(duckdb::ClientContext &context, TableRange &range, const duckdb::PhysicalTableScan &scan);

		//! Fills `output` with the rows that the scan's filters let pass; empty at the end
		void Next(duckdb::DataChunk &output);
		duckdb::idx_t BatchIndex() const;

	private:
		duckdb::ClientContext &context;
		TableRange &range;
		const duckdb::PhysicalTableScan &scan;
		const bool removes_columns;
		duckdb::TableScanState state;
		//! With the columns that only filters need
		duckdb::DataChunk all_columns;
	};

private:
	//! Moves the part of the scan to the first row group with rows of the range, and ends it behind the last one.
	void Restrict(duckdb::ParallelCollectionScanState &part, const RowRange &rows);
	//! Has the reader's state go to the next row group; false if there is none
	bool NextRowGroup(duckdb::ClientContext &context, duckdb::TableScanState &state);

	duckdb::DataTable &storage;
	duckdb::DuckTransaction &transaction;
	duckdb::ParallelTableScanState parallel;
	duckdb::idx_t first_row_to_filter = 0;
	duckdb::idx_t row_group_count = 0;
};

} // namespace duckherder
