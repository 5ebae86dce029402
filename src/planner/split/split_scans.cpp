#include "planner/split/split_scans.hpp"

#include "engine/bound_scan.hpp"
#include "engine/function_traits.hpp"
#include "engine/scan_file.hpp"
#include "planner/rewrite/lake_scans.hpp"

#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/common/multi_file/multi_file_states.hpp"
#include "duckdb/common/multi_file/multi_file_reader.hpp"
#include "duckdb/planner/filter/optional_filter.hpp"

#include <algorithm>
#include <cstdlib>

namespace duckherder {

using namespace duckdb;

namespace {

bool ContainsDynamicFilter(const TableFilter &filter) {
	switch (filter.filter_type) {
	case TableFilterType::DYNAMIC_FILTER:
	case TableFilterType::BLOOM_FILTER:
		return true;
	case TableFilterType::OPTIONAL_FILTER: {
		auto &child = filter.Cast<OptionalFilter>().child_filter;
		return !child || ContainsDynamicFilter(*child);
	}
	default:
		return false;
	}
}

//! Tasks for `units` of natural parallelism
idx_t TaskCount(idx_t units, idx_t rows, const PlannerOptions &options, bool few_tasks) {
	auto workers = MaxValue<idx_t>(options.workers, 1);
	if (rows < options.min_rows && rows < limits::ROW_GROUP_ROWS) {
		// a dimension table: one round trip is all it is worth
		return 1;
	}
	auto most = few_tasks ? workers : workers * options.tasks_per_worker;
	auto count = MinValue<idx_t>(MaxValue<idx_t>(units, workers), MaxValue<idx_t>(most, 1));
	return MaxValue<idx_t>(MinValue<idx_t>(count, rows), 1);
}

//! Row groups [first, last] of one table or file as a task
DistributedPipelineTask RowGroupTask(const PartitionInformation &information, idx_t first, idx_t last) {
	auto &from = information.row_groups[first];
	auto &to = information.row_groups[last];
	DistributedPipelineTask task;
	task.row_group_start = first;
	task.row_group_end = last;
	task.split.kind = SplitKind::ROW_GROUP;
	task.split.row_start = from.row_start;
	task.split.row_end = to.row_start + to.rows;
	return task;
}

void SplitByRowGroups(const PartitionInformation &information, idx_t task_count, PipelineTasks &result) {
	result.kind = SplitKind::ROW_GROUP;
	auto groups = information.row_groups.size();
	for (idx_t i = 0; i < task_count; i++) {
		auto first = groups * i / task_count;
		auto last = groups * (i + 1) / task_count - 1;
		result.tasks.push_back(RowGroupTask(information, first, last));
	}
}

//! Fewer row groups than tasks: ranges of rows within them. Rows are counted through gaps between row groups.
void SplitByRanges(const PartitionInformation &information, idx_t task_count, PipelineTasks &result) {
	result.kind = SplitKind::RANGE;
	auto locate = [&](idx_t row, idx_t &group) {
		for (group = 0; group + 1 < information.row_groups.size(); group++) {
			if (row < information.row_groups[group].rows) {
				break;
			}
			row -= information.row_groups[group].rows;
		}
		return information.row_groups[group].row_start + row;
	};
	for (idx_t i = 0; i < task_count; i++) {
		DistributedPipelineTask task;
		task.split.kind = SplitKind::RANGE;
		idx_t first_group = 0;
		idx_t last_group = 0;
		task.split.row_start = locate(information.total_rows * i / task_count, first_group);
		task.split.row_end = locate(information.total_rows * (i + 1) / task_count - 1, last_group) + 1;
		task.row_group_start = first_group;
		task.row_group_end = last_group;
		result.tasks.push_back(std::move(task));
	}
}

//! Leaves no row out: the first range starts at 0, each ends where the next one starts, the last is open. Rows that
//! came after the metadata was read, or that lie in gaps, belong to somebody too.
void CloseGaps(vector<DistributedPipelineTask> &tasks) {
	for (idx_t i = 0; i < tasks.size(); i++) {
		tasks[i].split.row_end = i + 1 < tasks.size() ? tasks[i + 1].split.row_start : ROWS_UNBOUNDED;
	}
	tasks[0].split.row_start = 0;
}

struct FilePiece {
	idx_t first_file;
	idx_t last_file;
	//! Row groups of the one file, or all of them
	idx_t first_group;
	idx_t last_group;
	bool whole_files;
};

//! Big files are cut on row-group borders, small ones are packed together, in order
vector<FilePiece> CutFiles(const PartitionInformation &information, idx_t target_rows) {
	vector<FilePiece> pieces;
	auto &groups = information.row_groups;
	idx_t packed_rows = 0;
	bool packing = false;
	for (idx_t begin = 0; begin < groups.size();) {
		auto file = groups[begin].file;
		idx_t end = begin;
		idx_t file_rows = 0;
		for (; end < groups.size() && groups[end].file == file; end++) {
			file_rows += groups[end].rows;
		}
		auto parts = MinValue<idx_t>((file_rows + target_rows / 2) / target_rows, end - begin);
		if (parts >= 2) {
			for (idx_t i = 0; i < parts; i++) {
				auto count = end - begin;
				pieces.push_back({file, file, begin + count * i / parts, begin + count * (i + 1) / parts - 1, false});
			}
			packing = false;
		} else if (packing && packed_rows + file_rows <= target_rows) {
			pieces.back().last_file = file;
			pieces.back().last_group = end - 1;
			packed_rows += file_rows;
		} else {
			pieces.push_back({file, file, begin, end - 1, true});
			packed_rows = file_rows;
			packing = true;
		}
		begin = end;
	}
	return pieces;
}

void SplitFilesByRows(const PartitionInformation &information, idx_t task_count, PipelineTasks &result) {
	auto target = MaxValue<idx_t>(information.total_rows / task_count, 1);
	auto pieces = CutFiles(information, target);
	while (pieces.size() > task_count && target < information.total_rows * 2) {
		target += target / 8 + 1;
		pieces = CutFiles(information, target);
	}
	result.kind = SplitKind::FILE;
	for (auto &piece : pieces) {
		auto task = RowGroupTask(information, piece.first_group, piece.last_group);
		task.split.kind = SplitKind::FILE;
		if (piece.whole_files) {
			task.split.row_start = 0;
			task.split.row_end = ROWS_UNBOUNDED;
		} else {
			result.kind = SplitKind::ROW_GROUP;
			task.split.kind = SplitKind::ROW_GROUP;
		}
		for (idx_t file = piece.first_file; file <= piece.last_file; file++) {
			task.partition_indices.push_back(file);
			task.split.files.push_back(information.files[file]);
		}
		result.tasks.push_back(std::move(task));
	}
	// Within each file no row may be left out either. Pieces of one file have one position in the list, while a path
	// may stand there several times.
	auto &tasks = result.tasks;
	auto same_file = [&](idx_t left, idx_t right) {
		return right < tasks.size() && tasks[left].partition_indices == tasks[right].partition_indices;
	};
	for (idx_t i = 0; i < tasks.size(); i++) {
		auto &split = tasks[i].split;
		split.row_end = same_file(i, i + 1) ? tasks[i + 1].split.row_start : ROWS_UNBOUNDED;
		split.row_start = i > 0 && same_file(i - 1, i) ? split.row_start : 0;
	}
}

void SplitFilesByCount(const PartitionInformation &information, idx_t task_count, PipelineTasks &result) {
	result.kind = SplitKind::FILE;
	auto files = information.files.size();
	task_count = MinValue(task_count, files);
	for (idx_t i = 0; i < task_count; i++) {
		DistributedPipelineTask task;
		task.split.kind = SplitKind::FILE;
		for (auto file = files * i / task_count; file < files * (i + 1) / task_count; file++) {
			task.partition_indices.push_back(file);
			task.split.files.push_back(information.files[file]);
		}
		result.tasks.push_back(std::move(task));
	}
}

void NumberRows(const PartitionInformation &information, PipelineTasks &result) {
	idx_t row = 0;
	auto &groups = information.row_groups;
	for (idx_t i = 0; i < result.tasks.size(); i++) {
		auto &task = result.tasks[i];
		task.has_rows = true;
		if (result.kind == SplitKind::RANGE) {
			task.row_start = information.total_rows * i / result.tasks.size();
			task.row_end = information.total_rows * (i + 1) / result.tasks.size();
			continue;
		}
		task.row_start = row;
		for (auto group = task.row_group_start; group <= task.row_group_end; group++) {
			row += groups[group].rows;
		}
		task.row_end = row;
	}
}

//! Storage that cannot describe itself is rare: tests set this variable of the process, which no SQL reaches
void FailForTests() {
	if (std::getenv("DUCKHERDER_TEST_FAIL_EXTRACTION")) {
		throw IOException("extraction fails for a test");
	}
}

PipelineTasks SplitWithoutInformation(const StagePlan &stage, const PlannerOptions &options,
                                      const vector<ScanFile> &files, const string &reason) {
	PipelineTasks result;
	result.fallback_reason = reason;
	auto &get = stage.scan->Get();
	if (IsParquetScan(get)) {
		PartitionInformation information;
		information.files = files;
		SplitFilesByCount(information, options.workers, result);
		return result;
	}
	auto by_modulo = IsTableScan(get) && !stage.scan->order_matters;
	auto task_count = by_modulo ? options.workers : 1;
	result.kind = by_modulo ? SplitKind::MODULO : SplitKind::FEED;
	for (idx_t i = 0; i < task_count; i++) {
		DistributedPipelineTask task;
		task.split.kind = result.kind;
		task.split.modulus = task_count;
		task.split.remainder = i;
		result.tasks.push_back(std::move(task));
	}
	return result;
}

//! One stream in the driver, dealt out to whoever asks; to one task only if the order must be kept
PipelineTasks SplitFeed(const StagePlan &stage, const PlannerOptions &options) {
	PipelineTasks result;
	result.kind = SplitKind::FEED;
	auto small = stage.scan->Get().estimated_cardinality < options.min_rows;
	auto task_count = stage.scan->order_matters || small ? 1 : options.workers;
	for (idx_t i = 0; i < task_count; i++) {
		DistributedPipelineTask task;
		task.split.kind = SplitKind::FEED;
		task.split.modulus = task_count;
		result.tasks.push_back(std::move(task));
	}
	result.natural_parallelism = 1;
	return result;
}

} // namespace

string WhyNotSplit(ClientContext &, const LogicalGet &get) {
	auto name = StringUtil::Upper(get.function.name);
	if (!get.children.empty() || !get.function.function || get.function.in_out_function) {
		return name + " takes rows as input and runs in the session";
	}
	if (StringUtil::StartsWith(get.function.name, "duckherder_")) {
		return name + " describes this session";
	}
	auto traits = TraitsOf(FunctionKind::TABLE, get.function.name);
	if (!traits.OnWorker()) {
		return name + " " + Describe(traits.reason) + " and runs in the session";
	}
	auto table = get.GetTable();
	if (table && StringUtil::StartsWith(table->catalog.GetName(), LAKE_METADATA_PREFIX)) {
		return "the catalog of a lake is read here";
	}
	if (get.extra_info.sample_options) {
		return "TABLESAMPLE runs in the session";
	}
	for (auto &column : get.GetColumnIds()) {
		if (IsParquetScan(get) && column.GetPrimaryIndex() == MultiFileReader::COLUMN_IDENTIFIER_FILE_INDEX) {
			return "file_index numbers the files of the whole scan";
		}
	}
	if (get.ordinality_idx.IsValid()) {
		return "WITH ORDINALITY runs in the session";
	}
	return string();
}

bool MakesRowsFromConstants(const LogicalGet &get) {
	return get.function.name == "range" || get.function.name == "generate_series";
}

StageScan::Reader ReaderOf(const LogicalGet &get) {
	if (!IsParquetScan(get)) {
		return StageScan::Reader::FEED;
	}
	// Behind other protocols are file systems that were registered in this process, as fsspec's in Python.
	auto files = get.bind_data->Cast<MultiFileBindData>().file_list->GetAllFiles();
	auto reachable = [](const OpenFileInfo &file) {
		return IsLocalPath(file.path) || FileSystem::IsRemoteFile(file.path);
	};
	return std::all_of(files.begin(), files.end(), reachable) ? StageScan::Reader::WORKER : StageScan::Reader::FEED;
}

void RemoveDynamicFilters(LogicalGet &get) {
	get.dynamic_filters.reset();
	auto &filters = get.table_filters.filters;
	for (auto entry = filters.begin(); entry != filters.end();) {
		entry = ContainsDynamicFilter(*entry->second) ? filters.erase(entry) : std::next(entry);
	}
}

PipelineTasks SplitByInformation(const PartitionInformation &information, const PlannerOptions &options,
                                 bool few_tasks) {
	PipelineTasks result;
	result.total_rows = information.total_rows;
	result.natural_parallelism = MaxValue<idx_t>(information.NaturalParallelism(), 1);
	if (information.row_groups.empty()) {
		if (information.files.size() > 1) {
			auto most = few_tasks ? options.workers : options.MaxTasks();
			SplitFilesByCount(information, MinValue<idx_t>(information.files.size(), most), result);
			return result;
		}
		// no rows: one task says so
		DistributedPipelineTask task;
		task.has_rows = true;
		task.split.kind = result.kind = SplitKind::RANGE;
		for (auto &file : information.files) {
			task.split.files.push_back(file);
		}
		result.tasks.push_back(std::move(task));
		return result;
	}
	auto task_count = TaskCount(information.row_groups.size(), information.total_rows, options, few_tasks);
	if (information.files.size() > 1) {
		SplitFilesByRows(information, task_count, result);
	} else {
		if (task_count <= information.row_groups.size()) {
			SplitByRowGroups(information, task_count, result);
		} else {
			SplitByRanges(information, task_count, result);
		}
		CloseGaps(result.tasks);
		for (auto &task : result.tasks) {
			for (auto &file : information.files) {
				task.split.files.push_back(file);
				task.partition_indices.push_back(0);
			}
		}
	}
	NumberRows(information, result);
	return result;
}

ScanSplitter::ScanSplitter(ClientContext &context, const StagePlan &stage_p, const string &base_sql,
                           const PlannerOptions &options_p)
    : stage(stage_p), options(options_p), sql(base_sql) {
	auto &get = stage.scan->Get();
	auto in_session = stage.scan->reader == StageScan::Reader::FEED && !IsTableScan(get);
	if (in_session) {
		return;
	}
	row_number_hidden = IsTableScan(get) && std::any_of(get.names.begin(), get.names.end(),
	                                                    [](auto &name) { return StringUtil::CIEquals(name, "rowid"); });
	if (IsParquetScan(get)) {
		files = FilesOf(context, get);
	}
	try {
		FailForTests();
		information = GetPartitionInformation(context, get, files);
	} catch (const FileVersionException &) {
		throw;
	} catch (const std::exception &error) {
		failure = ErrorData(error).Message();
	}
}

PipelineTasks ScanSplitter::Split(bool few_tasks) const {
	auto result = information ? SplitByInformation(*information, options, few_tasks)
	              : failure   ? SplitWithoutInformation(stage, options, files, *failure)
	                          : SplitFeed(stage, options);
	for (idx_t i = 0; i < result.tasks.size(); i++) {
		auto &task = result.tasks[i];
		task.task_id = static_cast<TaskId>(i);
		task.total_tasks = static_cast<TaskId>(result.tasks.size());
		task.split.table_index = stage.scan->table_index;
		task.split.fed = stage.scan->reader == StageScan::Reader::FEED;
		task.task_sql = row_number_hidden ? string() : sql.Write(task.split);
		auto &split = task.split;
		auto name = split.files.empty() ? stage.scan->Get().function.name : split.files[0].path;
		task.affinity_key = name + "#" + to_string(split.row_start) + "-" + to_string(split.row_end);
	}
	return result;
}

PipelineTasks ExtractPipelineTasks(ClientContext &context, const StagePlan &stage, const string &base_sql,
                                   const PlannerOptions &options) {
	if (stage.scan) {
		return ScanSplitter(context, stage, base_sql, options).Split(stage.few_tasks);
	}
	PipelineTasks result;
	for (uint32_t partition = 0; partition < stage.partitions; partition++) {
		DistributedPipelineTask task;
		task.task_id = static_cast<TaskId>(partition);
		task.total_tasks = static_cast<TaskId>(stage.partitions);
		task.split.partition = partition;
		result.tasks.push_back(std::move(task));
	}
	result.natural_parallelism = stage.partitions;
	return result;
}

} // namespace duckherder
