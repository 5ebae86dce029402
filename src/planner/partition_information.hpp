#pragma once

#include "plan/pipeline_task.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

namespace duckherder {

//! A row group as storage describes it
struct RowGroupInfo {
	//! Number of the file, 0 for tables
	duckdb::idx_t file = 0;
	//! First row: a rowid of the table, or a row number within the file
	duckdb::idx_t row_start = 0;
	duckdb::idx_t rows = 0;
};

//! What storage knows of a scan before it runs. Never estimates: what is not known stays empty.
struct PartitionInformation {
	duckdb::vector<RowGroupInfo> row_groups;
	//! For scans that workers read themselves
	duckdb::vector<ScanFile> files;
	duckdb::idx_t total_rows = 0;
	//! The source numbers its rows, so ranges of rows can be read
	bool has_row_ids = false;

	//! How many pieces storage falls into by itself
	duckdb::idx_t NaturalParallelism() const {
		return row_groups.empty() ? files.size() : row_groups.size();
	}
};

//! Reads metadata only. May open files; throws what DuckDB throws.
PartitionInformation GetPartitionInformation(duckdb::ClientContext &context, duckdb::LogicalGet &get);

bool IsParquetScan(const duckdb::LogicalGet &get);
bool IsTableScan(const duckdb::LogicalGet &get);

//! The function's partition statistics as the catalog knows it: planning may have hidden them in the plan's copy, so
//! that COUNT(*) is not answered from metadata.
duckdb::table_function_get_partition_stats_t PartitionStatsOf(duckdb::ClientContext &context,
                                                              const duckdb::TableFunction &function);

} // namespace duckherder
