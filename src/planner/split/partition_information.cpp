#include "planner/split/partition_information.hpp"

#include "compat/names.hpp"
#include "engine/bound_scan.hpp"
#include "engine/parquet_file.hpp"
#include "engine/scan_file.hpp"
#include "common/limits.hpp"
#include "planner/rewrite/lake_scans.hpp"

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/catalog/catalog_entry/table_function_catalog_entry.hpp"
#include "duckdb/common/multi_file/multi_file_data.hpp"
#include "duckdb/common/multi_file/multi_file_states.hpp"
#include "duckdb/common/multi_file/multi_file_reader.hpp"
#include "duckdb/function/partition_stats.hpp"
#include "duckdb/function/table/table_scan.hpp"
#include "duckdb/parallel/task_executor.hpp"

#include <cstdlib>

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

//! Opens one file, as the scan itself would
class ReadFooter : public BaseExecutorTask {
public:
	ReadFooter(TaskExecutor &executor, ClientContext &context_p, const MultiFileBindData &bind_data_p,
	           const OpenFileInfo &info_p, ScanFile &file_p, vector<idx_t> &rows_p)
	    : BaseExecutorTask(executor), context(context_p), bind_data(bind_data_p), info(info_p), file(file_p),
	      rows(rows_p) {
	}

	void ExecuteTask() override {
		// DuckDB hands a scan's state to its readers when it opens them, and that of Parquet does not look at it.
		GlobalTableFunctionState no_state;
		auto reader = bind_data.multi_file_reader->CreateReader(context, no_state, info, 0, bind_data);
		AddOpenedVersion(context, file, *reader);
		rows = RowGroupRows(context, *reader);
	}

private:
	ClientContext &context;
	const MultiFileBindData &bind_data;
	const OpenFileInfo &info;
	ScanFile &file;
	vector<idx_t> &rows;
};

//! Reads all footers, several at a time, and the versions of their files on the way. A file may stand in the list more
//! than once.
void ReadFooters(ClientContext &context, const MultiFileBindData &bind_data, PartitionInformation &result) {
	auto infos = bind_data.file_list->GetAllFiles();
	vector<vector<idx_t>> rows(infos.size());
	TaskExecutor executor(context);
	for (idx_t file = 0; file < infos.size(); file++) {
		executor.ScheduleTask(
		    make_uniq<ReadFooter>(executor, context, bind_data, infos[file], result.files[file], rows[file]));
	}
	executor.WorkOnTasks();
	for (idx_t file = 0; file < infos.size(); file++) {
		idx_t row_start = 0;
		for (auto count : rows[file]) {
			if (count > 0) {
				result.row_groups.push_back({file, row_start, count});
			}
			row_start += count;
		}
	}
}

//! A lake's catalog knows the rows of each file, but not its row groups. Where they begin only decides how much of one
//! is read in vain.
bool AddCountedRows(const LogicalGet &get, PartitionInformation &result) {
	auto counted = dynamic_cast<const CountedFileList *>(get.bind_data->Cast<MultiFileBindData>().file_list.get());
	if (!counted) {
		return false;
	}
	result.row_groups_are_guesses = true;
	for (idx_t file = 0; file < counted->rows.size(); file++) {
		for (idx_t row = 0; row < counted->rows[file]; row += limits::ROW_GROUP_ROWS) {
			result.row_groups.push_back(
			    {file, row, MinValue<idx_t>(counted->rows[file] - row, limits::ROW_GROUP_ROWS)});
		}
	}
	return true;
}

} // namespace

void FailExtractionForTests() {
	if (std::getenv("DUCKHERDER_TEST_FAIL_EXTRACTION")) {
		throw IOException("extraction fails for a test");
	}
}

table_function_get_partition_stats_t PartitionStatsOf(ClientContext &context, const BoundTableFunction &function) {
	if (function.get_partition_stats) {
		return function.get_partition_stats;
	}
	auto entry =
	    Catalog::GetEntry(context, SYSTEM_CATALOG, DEFAULT_SCHEMA,
	                      EntryLookupInfo(CatalogType::TABLE_FUNCTION_ENTRY, Identifier(FunctionName(function))),
	                      OnEntryNotFound::RETURN_NULL);
	if (!entry) {
		return nullptr;
	}
	return BoundTableFunction(entry->Cast<TableFunctionCatalogEntry>().functions.GetFunctionByOffset(0))
	    .get_partition_stats;
}

bool IsTableScan(const LogicalGet &get) {
	return FunctionName(get.function) == "seq_scan" && get.bind_data;
}

bool IsColumnOfFile(const LogicalGet &get, idx_t column) {
	auto &bind_data = get.bind_data->Cast<MultiFileBindData>();
	if (!bind_data.initial_reader) {
		return false;
	}
	auto &file_columns = bind_data.initial_reader->GetColumns();
	if (column >= file_columns.size() || column >= get.names.size() ||
	    !StringUtil::CIEquals(NameText(file_columns[column].name), NameText(get.names[column])) ||
	    file_columns[column].type != get.returned_types[column]) {
		return false;
	}
	auto &of_path = bind_data.reader_bind.hive_partitioning_indexes;
	return std::none_of(of_path.begin(), of_path.end(), [&](auto &hive) { return hive.index == column; });
}

vector<ScanFile> FilesOf(ClientContext &context, const LogicalGet &get) {
	auto &bind_data = get.bind_data->Cast<MultiFileBindData>();
	auto &bound_file = bind_data.initial_reader;
	vector<ScanFile> result;
	for (auto &info : bind_data.file_list->GetAllFiles()) {
		auto file = DescribeFile(info);
		LocateFile(context, file);
		if (bound_file && bound_file->GetFileName() == info.path) {
			// What the optimizer did relied on the footer that was read then.
			AddOpenedVersion(context, file, *bound_file);
		}
		result.push_back(std::move(file));
	}
	return result;
}

PartitionInformation GetPartitionInformation(ClientContext &context, LogicalGet &get, const vector<ScanFile> &files) {
	PartitionInformation result;
	result.files = files;
	if (IsTableScan(get)) {
		result.has_row_ids = true;
		result.row_groups = RowGroupsFromStatistics(context, get);
	} else if (IsParquetScan(get)) {
		result.has_row_ids = true;
		auto &bind_data = get.bind_data->Cast<MultiFileBindData>();
		if (!AddCountedRows(get, result) && files.size() <= FOOTERS_READ_MAX) {
			if (files.size() == 1 && bind_data.initial_reader) {
				result.row_groups = RowGroupsFromStatistics(context, get);
			} else {
				ReadFooters(context, bind_data, result);
			}
		}
	}
	for (auto &row_group : result.row_groups) {
		result.total_rows += row_group.rows;
	}
	return result;
}

} // namespace duckherder
