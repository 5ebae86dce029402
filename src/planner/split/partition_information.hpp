#pragma once

#include "compat/names.hpp"
#include "plan/pipeline_task.hpp"
#include "planner/split/clustered_scan.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

#include <optional>

namespace duckherder {

//! One of several scans of a stage that are cut by the same ranges of a key. It reads one file.
struct AlignedScan {
	KeyedScan keyed;
	//! LogicalGet::table_index
	duckdb::idx_t table_index = 0;
	ScanFile file;
};

//! What storage knows of a scan before it runs. Never estimates: what is not known stays empty.
struct PartitionInformation {
	duckdb::vector<RowGroupInfo> row_groups;
	//! For scans that workers read themselves
	duckdb::vector<ScanFile> files;
	duckdb::idx_t total_rows = 0;
	//! The rows of each file are known, and its row groups made up: they may begin elsewhere.
	bool row_groups_are_guesses = false;
	//! Where alone the scan may be cut, as numbers of row groups in order; without them anywhere
	std::optional<duckdb::vector<duckdb::idx_t>> borders;
	//! Scans that are cut by the same ranges of a key, this one first; empty if it is not cut by one column
	duckdb::vector<AlignedScan> aligned;
	//! The source numbers its rows, so ranges of rows can be read
	bool has_row_ids = false;

	//! How many pieces storage falls into by itself
	duckdb::idx_t NaturalParallelism() const {
		return row_groups.empty() ? files.size() : row_groups.size();
	}
};

//! The list of files of a Parquet scan, with what is known of them without opening any that is not open already.
//! Throws an IOException if a local one is gone, a FileVersionException if it is not the one that was bound.
duckdb::vector<ScanFile> FilesOf(duckdb::ClientContext &context, const duckdb::LogicalGet &get);

//! Reads metadata only. May open files, which adds their versions; throws what DuckDB throws. `files`: of a Parquet
//! scan, as FilesOf has them.
PartitionInformation GetPartitionInformation(duckdb::ClientContext &context, duckdb::LogicalGet &get,
                                             const duckdb::vector<ScanFile> &files);

//! Storage that cannot describe itself is rare: tests set a variable of the process, which no SQL reaches. Throws then.
void FailExtractionForTests();

bool IsTableScan(const duckdb::LogicalGet &get);

//! Whether what a Parquet scan returns under this number is the column of that number in the file that it has bound.
bool IsColumnOfFile(const duckdb::LogicalGet &get, duckdb::idx_t column);

//! The function's partition statistics as the catalog knows it: planning may have hidden them in the plan's copy, so
//! that COUNT(*) is not answered from metadata.
duckdb::table_function_get_partition_stats_t PartitionStatsOf(duckdb::ClientContext &context,
                                                              const duckdb::BoundTableFunction &function);

} // namespace duckherder
