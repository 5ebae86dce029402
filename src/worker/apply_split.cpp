#include "worker/apply_split.hpp"

#include "engine/scan_file.hpp"
#include "engine/scan_filter.hpp"
#include "worker/bound_scan_reader.hpp"

#include "duckdb/common/multi_file/multi_file_list.hpp"
#include "duckdb/common/multi_file/multi_file_reader.hpp"
#include "duckdb/common/multi_file/multi_file_states.hpp"
#include "duckdb/planner/filter/conjunction_filter.hpp"
#include "duckdb/planner/filter/constant_filter.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

#include <algorithm>

namespace duckherder {

using namespace duckdb;

namespace {

optional_ptr<LogicalGet> FindScan(LogicalOperator &op, uint64_t table_index) {
	if (op.type == LogicalOperatorType::LOGICAL_GET && op.Cast<LogicalGet>().table_index == table_index) {
		return op.Cast<LogicalGet>();
	}
	for (auto &child : op.children) {
		if (auto result = FindScan(*child, table_index)) {
			return result;
		}
	}
	return nullptr;
}

bool ScansColumn(const LogicalGet &get, column_t column) {
	auto &column_ids = get.GetColumnIds();
	return std::any_of(column_ids.begin(), column_ids.end(),
	                   [&](const ColumnIndex &index) { return index.GetPrimaryIndex() == column; });
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

void ReplaceFiles(LogicalGet &get, const std::vector<ScanFile> &files) {
	if (ScansColumn(get, MultiFileReader::COLUMN_IDENTIFIER_FILE_INDEX)) {
		throw NotImplementedException(
		    "file_index is the place of a file in the whole list, a task only has a part of it");
	}
	auto &bind_data = get.bind_data->Cast<MultiFileBindData>();
	vector<OpenFileInfo> infos;
	for (auto &file : files) {
		infos.push_back(ToOpenFileInfo(file));
	}
	bind_data.file_list = make_shared_ptr<TaskFiles>(std::move(infos));
	bind_data.multi_file_reader->Cast<BoundScanReader>().SetFiles(files);
}

//! A filter on the row number, which skips row groups by their borders before it looks at rows
void RestrictRows(LogicalGet &get, const ScanSplit &split) {
	auto column = MultiFileReader::COLUMN_IDENTIFIER_FILE_ROW_NUMBER;
	if (!ScansColumn(get, column)) {
		if (get.projection_ids.empty()) {
			// empty means all columns: from here on all but the new one
			for (idx_t i = 0; i < get.GetColumnIds().size(); i++) {
				get.projection_ids.push_back(i);
			}
		}
		get.AddColumnId(column);
	}
	auto add_bound = [&](ExpressionType comparison, uint64_t row) {
		auto constant = Value::BIGINT(NumericCast<int64_t>(row));
		get.table_filters.PushFilter(ColumnIndex(column), make_uniq<ConstantFilter>(comparison, std::move(constant)));
	};
	if (split.row_start > 0) {
		add_bound(ExpressionType::COMPARE_GREATERTHANOREQUALTO, split.row_start);
	}
	if (split.row_end != ROWS_UNBOUNDED) {
		add_bound(ExpressionType::COMPARE_LESSTHAN, split.row_end);
	}
}

} // namespace

void ApplySplit(LogicalOperator &plan, const ScanSplit &split) {
	if (split.fed || split.files.empty()) {
		return;
	}
	auto get = FindScan(plan, split.table_index);
	if (!get || !IsParquetScan(*get)) {
		throw InternalException("The fragment has no Parquet scan with table index %llu to apply the split to",
		                        split.table_index);
	}
	ReplaceFiles(*get, split.files);
	if (split.row_start > 0 || split.row_end != ROWS_UNBOUNDED) {
		if (split.files.size() != 1) {
			throw InternalException("A range of rows in %llu files", static_cast<idx_t>(split.files.size()));
		}
		RestrictRows(*get, split);
	}
	plan.ResolveOperatorTypes();
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
