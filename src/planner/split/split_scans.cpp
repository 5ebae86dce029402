#include "planner/split/split_scans.hpp"

#include "compat/filters.hpp"
#include "compat/names.hpp"
#include "engine/bound_scan.hpp"
#include "engine/function_traits.hpp"
#include "engine/scan_file.hpp"
#include "planner/rewrite/lake_scans.hpp"
#include "planner/split/clustered_scan.hpp"

#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/common/multi_file/multi_file_states.hpp"
#include "duckdb/common/multi_file/multi_file_reader.hpp"
#include "duckdb/planner/filter/optional_filter.hpp"

#include <algorithm>

namespace duckherder {

using namespace duckdb;

namespace {

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

//! From row group `first` to where the one after `last` begins. Leaves no row of a table or file out: its first range
//! starts at 0, its last is open. Rows that came after the metadata was read, or that lie in gaps, belong to somebody
//! too.
RowRange RowsOf(const PartitionInformation &information, idx_t first, idx_t last) {
	auto &groups = information.row_groups;
	RowRange rows;
	if (first > 0 && groups[first - 1].file == groups[first].file) {
		rows.start = groups[first].row_start;
	}
	if (last + 1 < groups.size() && groups[last + 1].file == groups[last].file) {
		rows.end = groups[last + 1].row_start;
	}
	return rows;
}

DistributedPipelineTask RowGroupTask(idx_t first, idx_t last, SplitPart part) {
	DistributedPipelineTask task;
	task.row_group_start = first;
	task.row_group_end = last;
	task.split.part = std::move(part);
	return task;
}

//! The scan is that of a table, which has no file, or of one file.
std::optional<ScanFile> OnlyFile(const PartitionInformation &information) {
	return information.files.empty() ? std::nullopt : std::make_optional(information.files[0]);
}

SplitPart RowsBetweenGroups(const PartitionInformation &information, std::optional<ScanFile> file, idx_t first,
                            idx_t last) {
	RowsSplit split {std::move(file), RowsOf(information, first, last)};
	return information.row_groups_are_guesses ? SplitPart(RangeSplit {std::move(split)})
	                                          : SplitPart(RowGroupSplit {std::move(split)});
}

void SplitByRowGroups(const PartitionInformation &information, idx_t task_count, PipelineTasks &result) {
	result.kind = SplitKind::ROW_GROUP;
	auto groups = information.row_groups.size();
	for (idx_t i = 0; i < task_count; i++) {
		auto first = groups * i / task_count;
		auto last = groups * (i + 1) / task_count - 1;
		auto part = RowsBetweenGroups(information, OnlyFile(information), first, last);
		result.tasks.push_back(RowGroupTask(first, last, std::move(part)));
	}
}

//! A number of tasks that are of about the same size, if there is one
void SplitAtBorders(const PartitionInformation &information, idx_t task_count, idx_t workers, PipelineTasks &result) {
	result.kind = SplitKind::ROW_GROUP;
	auto &groups = information.row_groups;
	auto balanced = BalancedPieces(groups, *information.borders, MinValue(workers, task_count), task_count);
	auto begins = CutAtBorders(groups, *information.borders, balanced > 0 ? balanced : task_count);
	for (idx_t i = 0; i < begins.size(); i++) {
		auto last = (i + 1 < begins.size() ? begins[i + 1] : groups.size()) - 1;
		auto rows = RowsOf(information, begins[i], last);
		result.tasks.push_back(RowGroupTask(begins[i], last, RowGroupSplit {{OnlyFile(information), rows}}));
	}
}

//! The rows of the row groups, and which of them
AlignedSplit AlignedSplitOf(const AlignedScan &scan, const KeyPiece &piece, const KeyPiece::Part &part) {
	AlignedSplit result;
	result.table_index = scan.table_index;
	auto &groups = scan.keyed.scan->row_groups;
	RowRange rows {0, 0};
	if (part.first_group < part.end_group) {
		rows = {groups[part.first_group].row_start,
		        groups[part.end_group - 1].row_start + groups[part.end_group - 1].rows};
	}
	result.part = RowGroupSplit {{scan.file, rows}};
	result.keys.column = scan.keyed.column;
	if (part.has_others) {
		result.keys.first = piece.first_key;
		result.keys.last = piece.last_key;
	}
	return result;
}

//! All scans of the stage by the same ranges of the key. The planner has found a number of tasks for which that is
//! worth it if there are several. Returns false if it is not cut by a key, or one scan is better cut elsewhere.
bool SplitByKey(const PartitionInformation &information, idx_t task_count, const PlannerOptions &options,
                PipelineTasks &result) {
	if (information.aligned.empty()) {
		return false;
	}
	vector<KeyedScan> scans;
	for (auto &scan : information.aligned) {
		scans.push_back(scan.keyed);
	}
	auto least = MinValue<idx_t>(options.workers, task_count);
	auto pieces = CutByKey(scans, least, task_count);
	if (pieces.empty()) {
		pieces = CutByKey(scans, least, MaxValue<idx_t>(options.MaxTasks(), 2));
	}
	if (pieces.empty() && scans.size() > 1) {
		throw InternalException("Scans that are aligned cannot be cut alike");
	}
	result.kind = SplitKind::ROW_GROUP;
	for (auto &piece : pieces) {
		auto base = AlignedSplitOf(information.aligned[0], piece, piece.parts[0]);
		auto task = RowGroupTask(piece.parts[0].first_group, piece.parts[0].end_group - 1, std::move(base.part));
		task.split.keys = base.keys;
		for (idx_t i = 1; i < piece.parts.size(); i++) {
			task.split.aligned.push_back(AlignedSplitOf(information.aligned[i], piece, piece.parts[i]));
		}
		result.tasks.push_back(std::move(task));
	}
	return !pieces.empty();
}

//! Fewer row groups than tasks: ranges of rows within them. Rows are counted through gaps between row groups.
void SplitByRanges(const PartitionInformation &information, idx_t task_count, PipelineTasks &result) {
	result.kind = SplitKind::RANGE;
	// The row group, and the number of the row.
	auto locate = [&](idx_t row) {
		idx_t group = 0;
		for (; group + 1 < information.row_groups.size(); group++) {
			if (row < information.row_groups[group].rows) {
				break;
			}
			row -= information.row_groups[group].rows;
		}
		return std::make_pair(group, information.row_groups[group].row_start + row);
	};
	for (idx_t i = 0; i < task_count; i++) {
		auto end = information.total_rows * (i + 1) / task_count;
		auto [first_group, first_row] = locate(information.total_rows * i / task_count);
		RowRange rows {i > 0 ? first_row : 0, i + 1 < task_count ? locate(end).second : ROWS_UNBOUNDED};
		result.tasks.push_back(
		    RowGroupTask(first_group, locate(end - 1).first, RangeSplit {{OnlyFile(information), rows}}));
	}
}

//! A table, or one file
void SplitOneSource(const PartitionInformation &information, idx_t task_count, idx_t workers, PipelineTasks &result) {
	if (information.borders) {
		SplitAtBorders(information, task_count, workers, result);
	} else if (task_count <= information.row_groups.size()) {
		SplitByRowGroups(information, task_count, result);
	} else {
		SplitByRanges(information, task_count, result);
	}
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

std::vector<ScanFile> FilesBetween(const PartitionInformation &information, idx_t begin, idx_t end) {
	auto first = information.files.begin();
	return {first + static_cast<int64_t>(begin), first + static_cast<int64_t>(end)};
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
		SplitPart part;
		if (piece.whole_files) {
			part = FileSplit {FilesBetween(information, piece.first_file, piece.last_file + 1)};
		} else {
			result.kind = SplitKind::ROW_GROUP;
			part = RowsBetweenGroups(information, information.files[piece.first_file], piece.first_group,
			                         piece.last_group);
		}
		auto task = RowGroupTask(piece.first_group, piece.last_group, std::move(part));
		for (idx_t file = piece.first_file; file <= piece.last_file; file++) {
			task.partition_indices.push_back(file);
		}
		result.tasks.push_back(std::move(task));
	}
}

void SplitFilesByCount(const PartitionInformation &information, idx_t task_count, PipelineTasks &result) {
	result.kind = SplitKind::FILE;
	auto files = information.files.size();
	task_count = MinValue(task_count, files);
	for (idx_t i = 0; i < task_count; i++) {
		auto begin = files * i / task_count;
		auto end = files * (i + 1) / task_count;
		DistributedPipelineTask task;
		task.split.part = FileSplit {FilesBetween(information, begin, end)};
		for (auto file = begin; file < end; file++) {
			task.partition_indices.push_back(file);
		}
		result.tasks.push_back(std::move(task));
	}
}

void NumberRows(const PartitionInformation &information, PipelineTasks &result) {
	// of the row groups, counted over all files
	vector<idx_t> starts {0};
	for (auto &group : information.row_groups) {
		starts.push_back(starts.back() + group.rows);
	}
	for (idx_t i = 0; i < result.tasks.size(); i++) {
		auto &task = result.tasks[i];
		task.has_rows = true;
		if (result.kind == SplitKind::RANGE) {
			task.row_start = information.total_rows * i / result.tasks.size();
			task.row_end = information.total_rows * (i + 1) / result.tasks.size();
			continue;
		}
		task.row_start = starts[task.row_group_start];
		task.row_end = starts[task.row_group_end + 1];
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
		if (by_modulo) {
			task.split.part = ModuloSplit {task_count, i};
		} else {
			task.split.part = FeedSplit();
		}
		result.tasks.push_back(std::move(task));
	}
	return result;
}

//! One stream in the session, of which whoever asks gets the next rows; one task only if the order must be kept
PipelineTasks SplitFeed(const StagePlan &stage, const PlannerOptions &options) {
	PipelineTasks result;
	result.kind = SplitKind::FEED;
	auto small = stage.scan->Get().estimated_cardinality < options.min_rows;
	auto task_count = stage.scan->order_matters || small ? 1 : options.workers;
	for (idx_t i = 0; i < task_count; i++) {
		DistributedPipelineTask task;
		task.split.part = FeedSplit {task_count};
		result.tasks.push_back(std::move(task));
	}
	result.natural_parallelism = 1;
	return result;
}

//! Of each task one row group, or one file where nothing is known of row groups
void TakeSample(const std::optional<PartitionInformation> &information, PipelineTasks &result) {
	if (result.kind != SplitKind::ROW_GROUP && result.kind != SplitKind::FILE) {
		return;
	}
	for (auto &task : result.tasks) {
		auto *files = std::get_if<FileSplit>(&task.split.part);
		if (information && !information->row_groups.empty() && task.row_group_end > task.row_group_start) {
			result.kind = SplitKind::ROW_GROUP;
			auto group = task.row_group_start;
			auto file = task.split.Files().front();
			task.split.part = RowsBetweenGroups(*information, std::move(file), group, group);
			task.row_group_end = group;
			task.row_end = task.row_start + information->row_groups[group].rows;
		} else if (files) {
			files->files.resize(1);
		}
	}
}

AlignedScan AlignedScanOf(ClientContext &context, const StageScan &scan) {
	return {{scan.clusters, scan.in_place_by.at(0)}, scan.table_index, FilesOf(context, scan.Get()).at(0)};
}

vector<AlignedScan> AlignedScansOf(ClientContext &context, const StagePlan &stage) {
	vector<AlignedScan> result;
	if (stage.scan->in_place_by.size() == 1) {
		result.push_back(AlignedScanOf(context, *stage.scan));
	}
	for (auto &scan : stage.aligned_scans) {
		result.push_back(AlignedScanOf(context, scan));
	}
	return result;
}

} // namespace

string WhyNotSplit(ClientContext &, const LogicalGet &get) {
	auto name = StringUtil::Upper(FunctionName(get.function));
	if (!get.children.empty() || !get.function.function || get.function.in_out_function) {
		return name + " takes rows as input and runs in the session";
	}
	if (StringUtil::StartsWith(FunctionName(get.function), "duckherder_")) {
		return name + " describes this session";
	}
	auto traits = TraitsOf(FunctionKind::TABLE, FunctionName(get.function));
	if (!traits.OnWorker()) {
		return name + " " + Describe(traits.reason) + " and runs in the session";
	}
	auto table = get.GetTable();
	if (table && StringUtil::StartsWith(NameText(table->catalog.GetName()), LAKE_METADATA_PREFIX)) {
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
	return FunctionName(get.function) == "range" || FunctionName(get.function) == "generate_series";
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
	RemoveDynamicFilters(get.table_filters);
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
		result.kind = SplitKind::RANGE;
		task.split.part = RangeSplit {{OnlyFile(information), {}}};
		result.tasks.push_back(std::move(task));
		return result;
	}
	auto task_count = TaskCount(information.row_groups.size(), information.total_rows, options, few_tasks);
	if (information.files.size() > 1) {
		SplitFilesByRows(information, task_count, result);
	} else {
		if (!SplitByKey(information, task_count, options, result)) {
			SplitOneSource(information, task_count, options.workers, result);
		}
		for (auto &task : result.tasks) {
			task.partition_indices.resize(information.files.size());
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
	row_number_hidden = IsTableScan(get) && std::any_of(get.names.begin(), get.names.end(), [](auto &name) {
		                    return StringUtil::CIEquals(NameText(name), "rowid");
	                    });
	if (IsParquetScan(get)) {
		files = FilesOf(context, get);
	}
	try {
		FailExtractionForTests();
		information = GetPartitionInformation(context, get, files);
		if (stage.scan->clusters) {
			information->borders = BordersBetweenValues(*stage.scan->clusters, stage.scan->in_place_by);
			information->aligned = AlignedScansOf(context, stage);
		}
	} catch (const FileVersionException &) {
		throw;
	} catch (const std::exception &error) {
		if (!stage.scan->in_place_by.empty()) {
			// the plan relies on it
			throw;
		}
		failure = ErrorData(error).Message();
	}
}

PipelineTasks ScanSplitter::Split(bool few_tasks) const {
	auto result = information ? SplitByInformation(*information, options, few_tasks)
	              : failure   ? SplitWithoutInformation(stage, options, files, *failure)
	                          : SplitFeed(stage, options);
	if (stage.output.kind == ExchangeKind::SAMPLE) {
		TakeSample(information, result);
	}
	for (idx_t i = 0; i < result.tasks.size(); i++) {
		auto &task = result.tasks[i];
		task.task_id = static_cast<TaskId>(i);
		task.total_tasks = static_cast<TaskId>(result.tasks.size());
		task.split.table_index = stage.scan->table_index;
		task.split.fed = stage.scan->reader == StageScan::Reader::FEED;
		task.task_sql = row_number_hidden ? string() : sql.Write(task.split, stage.scan->Get());
		auto split_files = task.split.Files();
		auto rows = task.split.Rows();
		auto name = split_files.empty() ? FunctionName(stage.scan->Get().function) : split_files[0].path;
		task.affinity_key = name + "#" + to_string(rows.start) + "-" + to_string(rows.end);
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
		task.split.part = PartitionSplit {partition, 1, {}};
		result.tasks.push_back(std::move(task));
	}
	result.natural_parallelism = stage.partitions;
	return result;
}

} // namespace duckherder
