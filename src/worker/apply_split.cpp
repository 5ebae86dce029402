#include "worker/apply_split.hpp"

#include "compat/names.hpp"
#include "engine/restrict_rows.hpp"
#include "engine/scan_file.hpp"
#include "engine/scan_filter.hpp"
#include "worker/bound_scan_reader.hpp"

#include "duckdb/common/multi_file/multi_file_list.hpp"
#include "duckdb/common/multi_file/multi_file_reader.hpp"
#include "duckdb/common/multi_file/multi_file_states.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

optional_ptr<LogicalGet> FindScan(LogicalOperator &op, uint64_t table_index) {
	if (op.type == LogicalOperatorType::LOGICAL_GET && IndexOf(op.Cast<LogicalGet>().table_index) == table_index) {
		return op.Cast<LogicalGet>();
	}
	for (auto &child : op.children) {
		if (auto result = FindScan(*child, table_index)) {
			return result;
		}
	}
	return nullptr;
}

LogicalGet &FindParquetScan(LogicalOperator &plan, uint64_t table_index) {
	auto get = FindScan(plan, table_index);
	if (!get || !IsParquetScan(*get)) {
		throw InternalException("The fragment has no Parquet scan with table index %llu to apply the split to",
		                        table_index);
	}
	return *get;
}

//! Looks like several files: of one file DuckDB's scan takes no more threads than the file that was bound has row
//! groups, which may be another one, and is none at all where the schema came with the plan.
class TaskFiles : public SimpleMultiFileList {
public:
	using SimpleMultiFileList::SimpleMultiFileList;

	FileExpandResult GetExpandResult() const override {
		return GetTotalFileCount() > 0 ? FileExpandResult::MULTIPLE_FILES : FileExpandResult::NO_FILES;
	}
};

//! Returns the reader of the files.
BoundScanReader &ReplaceFiles(LogicalGet &get, std::span<const ScanFile> files) {
	if (ScansColumn(get, MultiFileReader::COLUMN_IDENTIFIER_FILE_INDEX)) {
		throw NotImplementedException(
		    "file_index is the place of a file in the whole list, a task only has a part of it");
	}
	auto &bind_data = get.bind_data->Cast<MultiFileBindData>();
	vector<OpenFileInfo> infos;
	for (auto &file : files) {
		// Before a file is opened, 2.0 looks at its name, which is the one that the user wrote; the reader opens it
		// where it is.
		infos.emplace_back(file.Written());
	}
	bind_data.file_list = make_shared_ptr<TaskFiles>(std::move(infos));
	auto &reader = bind_data.multi_file_reader->Cast<BoundScanReader>();
	reader.SetFiles({files.begin(), files.end()});
	return reader;
}

} // namespace

void ApplySplit(ClientContext &context, LogicalOperator &plan, const ScanSplit &split) {
	auto files = split.Files();
	if (split.fed || files.empty()) {
		return;
	}
	auto &get = FindParquetScan(plan, split.table_index);
	auto &reader = ReplaceFiles(get, files);
	auto at_borders = split.Kind() == SplitKind::ROW_GROUP;
	if (at_borders || split.Kind() == SplitKind::RANGE) {
		reader.SetRows(split.Rows(), at_borders);
	}
	if (!at_borders) {
		RestrictRows(context, get, MultiFileReader::COLUMN_IDENTIFIER_FILE_ROW_NUMBER, split);
	}
	for (auto &other : split.aligned) {
		auto &aligned = FindParquetScan(plan, other.table_index);
		ReplaceFiles(aligned, other.part.Files()).SetRows(other.part.rows, true);
	}
	plan.ResolveOperatorTypes();
}

void ApplyKeyRanges(LogicalOperator &plan, const ScanSplit &split) {
	auto restrict = [&](uint64_t table_index, const KeyRange &keys) {
		if (!keys.IsUnbounded()) {
			RestrictKeys(FindParquetScan(plan, table_index), keys);
		}
	};
	restrict(split.table_index, split.keys);
	for (auto &other : split.aligned) {
		restrict(other.table_index, other.keys);
	}
}

void FilterScan(LogicalOperator &plan, const TaskRequest &request, std::shared_ptr<std::atomic<uint64_t>> pruned) {
	if (request.scan_filters.empty()) {
		return;
	}
	auto get = FindScan(plan, request.split.table_index);
	if (!get) {
		throw InternalException("The fragment has no scan with table index %llu to filter", request.split.table_index);
	}
	for (auto &filter : request.scan_filters) {
		auto keys = std::make_shared<KeySet>(KeySet::Decode(*filter.key_set));
		keys->PrepareLookUps();
		FilterScanByKeys(*get, filter.column, std::move(keys), pruned);
	}
	plan.ResolveOperatorTypes();
}

bool CountScan(LogicalOperator &plan, uint64_t table_index, TaskInputs &inputs) {
	auto get = FindScan(plan, table_index);
	if (!get || !get->function.function || get->function.in_out_function) {
		return false;
	}
	inputs.counted_function = get->function.function;
	get->function.function = CountScannedRows;
	return true;
}

} // namespace duckherder
