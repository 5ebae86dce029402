#include "planner/partition_information.hpp"

#include "codec/scan_file.hpp"
#include "common/limits.hpp"
#include "planner/internal_query.hpp"
#include "planner/lake_scans.hpp"

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/catalog/catalog_entry/table_function_catalog_entry.hpp"
#include "duckdb/common/multi_file/multi_file_data.hpp"
#include "duckdb/common/multi_file/multi_file_states.hpp"
#include "duckdb/common/multi_file/multi_file_reader.hpp"
#include "duckdb/function/table/table_scan.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! Above this the footers of all files cost more to read than a better balance brings
constexpr idx_t FOOTERS_READ_MAX = 64;

vector<RowGroupInfo> RowGroupsFromStatistics(ClientContext &context, LogicalGet &get) {
	vector<RowGroupInfo> result;
	auto partition_stats = PartitionStatsOf(context, get.function);
	if (!partition_stats) {
		return result;
	}
	GetPartitionStatsInput input(get.function, get.bind_data.get());
	idx_t end = 0;
	bool local = false;
	for (auto &partition : partition_stats(context, input)) {
		if (!partition.row_start.IsValid()) {
			return {};
		}
		RowGroupInfo info;
		info.row_start = partition.row_start.GetIndex();
		info.rows = partition.count;
		// rows that the transaction itself added come last and are numbered from MAX_ROW_ID on
		local = local || info.row_start < end;
		if (local && info.row_start < NumericCast<idx_t>(MAX_ROW_ID)) {
			info.row_start += NumericCast<idx_t>(MAX_ROW_ID);
		}
		end = info.row_start + info.rows;
		if (info.rows > 0) {
			result.push_back(info);
		}
	}
	return result;
}

//! DuckDB's own parquet_metadata function: one row per row group (and column, hence column 0 only)
vector<RowGroupInfo> RowGroupsFromFooters(ClientContext &context, const vector<ScanFile> &files) {
	vector<Value> paths;
	for (auto &file : files) {
		paths.emplace_back(file.path);
	}
	InternalQuery internal;
	Connection connection(*context.db);
	auto prepared = connection.Prepare("SELECT DISTINCT file_name, row_group_id, row_group_num_rows FROM "
	                                   "parquet_metadata($1) WHERE column_id = 0 ORDER BY file_name, row_group_id");
	if (prepared->HasError()) {
		prepared->error.Throw();
	}
	vector<Value> parameters {Value::LIST(LogicalType::VARCHAR, paths)};
	auto query_result = prepared->Execute(parameters, false);
	if (query_result->HasError()) {
		query_result->ThrowError();
	}
	unordered_map<string, vector<idx_t>> rows_by_file;
	for (auto &row : *query_result) {
		rows_by_file[row.GetValue<string>(0)].push_back(row.GetValue<idx_t>(2));
	}
	vector<RowGroupInfo> result;
	for (idx_t file = 0; file < files.size(); file++) {
		idx_t row_start = 0;
		for (auto rows : rows_by_file[files[file].path]) {
			if (rows > 0) {
				result.push_back({file, row_start, rows});
			}
			row_start += rows;
		}
	}
	return result;
}

//! Several tasks that read parts of one file must all read the same version of it, and each would ask the store which
//! one there is. The scan has asked when it was bound, which is remembered until the query ends.
void FindVersion(ClientContext &context, ScanFile &file) {
	if (file.has_version || !IsRemote(file)) {
		return;
	}
	auto &system = FileSystem::GetFileSystem(context);
	auto handle = system.OpenFile(file.path, FileFlags::FILE_FLAGS_READ);
	file.etag = system.GetVersionTag(*handle);
	file.last_modified_us = system.GetLastModifiedTime(*handle).value;
	file.size_bytes = NumericCast<uint64_t>(handle->GetFileSize());
	// a store without etags: nobody would notice another version
	file.has_version = !file.etag.empty();
}

//! A lake's catalog knows the rows of each file, but not its row groups. Where they begin only decides how much of one
//! is read in vain.
bool AddCountedRows(const LogicalGet &get, PartitionInformation &result) {
	auto counted = dynamic_cast<const CountedFileList *>(get.bind_data->Cast<MultiFileBindData>().file_list.get());
	if (!counted) {
		return false;
	}
	for (idx_t file = 0; file < counted->rows.size(); file++) {
		for (idx_t row = 0; row < counted->rows[file]; row += limits::ROW_GROUP_ROWS) {
			result.row_groups.push_back(
			    {file, row, MinValue<idx_t>(counted->rows[file] - row, limits::ROW_GROUP_ROWS)});
		}
	}
	return true;
}

} // namespace

table_function_get_partition_stats_t PartitionStatsOf(ClientContext &context, const TableFunction &function) {
	if (function.get_partition_stats) {
		return function.get_partition_stats;
	}
	auto entry = Catalog::GetEntry(context, SYSTEM_CATALOG, DEFAULT_SCHEMA,
	                               EntryLookupInfo(CatalogType::TABLE_FUNCTION_ENTRY, function.name),
	                               OnEntryNotFound::RETURN_NULL);
	if (!entry) {
		return nullptr;
	}
	return entry->Cast<TableFunctionCatalogEntry>().functions.GetFunctionByOffset(0).get_partition_stats;
}

bool IsParquetScan(const LogicalGet &get) {
	auto &name = get.function.name;
	return (name == "parquet_scan" || name == "read_parquet") && get.function.serialize && get.bind_data;
}

bool IsTableScan(const LogicalGet &get) {
	return get.function.name == "seq_scan" && get.bind_data;
}

PartitionInformation GetPartitionInformation(ClientContext &context, LogicalGet &get) {
	PartitionInformation result;
	if (IsTableScan(get)) {
		result.has_row_ids = true;
		result.row_groups = RowGroupsFromStatistics(context, get);
	} else if (IsParquetScan(get)) {
		result.has_row_ids = true;
		for (auto &file : get.bind_data->Cast<MultiFileBindData>().file_list->GetAllFiles()) {
			result.files.push_back(DescribeFile(file));
		}
		if (AddCountedRows(get, result)) {
			// nothing has to be opened
		} else if (result.files.size() == 1) {
			FindVersion(context, result.files[0]);
			result.row_groups = RowGroupsFromStatistics(context, get);
		} else if (result.files.size() <= FOOTERS_READ_MAX) {
			result.row_groups = RowGroupsFromFooters(context, result.files);
		}
	}
	for (auto &row_group : result.row_groups) {
		result.total_rows += row_group.rows;
	}
	return result;
}

} // namespace duckherder
