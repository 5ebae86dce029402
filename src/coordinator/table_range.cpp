#include "coordinator/table_range.hpp"

#include "compat/table_scans.hpp"

#include "duckdb/catalog/catalog_entry/duck_table_entry.hpp"
#include "duckdb/function/table/table_scan.hpp"
#include "duckdb/transaction/duck_transaction.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

DuckTableEntry &TableOf(const LogicalGet &get) {
	return get.bind_data->Cast<TableScanBindData>().table.Cast<DuckTableEntry>();
}

//! As DuckDB's own scan decides it
bool RemovesColumns(const PhysicalTableScan &scan) {
	return !scan.projection_ids.empty() && scan.projection_ids.size() != scan.column_ids.size();
}

vector<LogicalType> ScannedTypes(const PhysicalTableScan &scan) {
	vector<LogicalType> result;
	for (auto &column : scan.column_ids) {
		if (column.IsRowIdColumn()) {
			result.push_back(LogicalType::ROW_TYPE);
		} else if (column.HasType()) {
			result.push_back(column.GetScanType());
		} else {
			result.push_back(scan.returned_types[column.GetPrimaryIndex()]);
		}
	}
	return result;
}

} // namespace

bool TableRange::CanRead(const LogicalGet &get, const ScanSplit &split) {
	auto table = get.GetTable();
	auto kind = split.Kind();
	if (FunctionName(get.function) != "seq_scan" || !table || !table->IsDuckTable() ||
	    (kind != SplitKind::ROW_GROUP && kind != SplitKind::RANGE)) {
		return false;
	}
	// All of a table may be what an index can answer, which DuckDB's function finds out.
	return split.Rows() != RowRange();
}

TableRange::TableRange(ClientContext &context, const LogicalGet &get, const RowRange &rows)
    : storage(TableOf(get).GetStorage()), transaction(DuckTransaction::Get(context, TableOf(get).catalog)) {
	storage.InitializeParallelScan(context, parallel, get.GetColumnIds());
	Restrict(parallel.scan_state, rows);
	Restrict(parallel.local_state, rows);
}

void TableRange::Restrict(ParallelCollectionScanState &part, const RowRange &rows) {
	auto next = [&] { AssignRowGroup(part, part.GetNextRowGroup(*part.row_groups, *part.current_row_group)); };
	while (part.current_row_group && part.current_row_group->GetRowEnd() <= rows.start) {
		next();
	}
	part.max_row = MinValue<idx_t>(part.max_row, rows.end);
	if (!part.current_row_group) {
		return;
	}
	auto first = part.current_row_group;
	if (first->GetRowStart() >= part.max_row) {
		AssignRowGroup(part, nullptr);
		return;
	}
	if (first->GetRowStart() < rows.start) {
		first_row_to_filter = rows.start;
	}
	for (; part.current_row_group && part.current_row_group->GetRowStart() < part.max_row; next()) {
		row_group_count++;
	}
	AssignRowGroup(part, first);
}

bool TableRange::NextRowGroup(ClientContext &context, TableScanState &state) {
	for (auto part : {&parallel.scan_state, &parallel.local_state}) {
		// DuckDB would look at all row groups behind the range.
		lock_guard<mutex> guard(part->lock);
		if (part->current_row_group && part->current_row_group->GetRowStart() >= part->max_row) {
			AssignRowGroup(*part, nullptr);
		}
	}
	return NextRowGroupOf(storage, context, parallel, state);
}

TableRange::Reader::Reader(ClientContext &context_p, TableRange &range_p, const PhysicalTableScan &scan_p)
    : context(context_p), range(range_p), scan(scan_p), removes_columns(RemovesColumns(scan_p)) {
	auto &table = scan.bind_data->Cast<TableScanBindData>().table;
	vector<StorageIndex> columns;
	for (auto &column : scan.column_ids) {
		columns.push_back(table.GetStorageIndex(column));
	}
	state.Initialize(std::move(columns), context, scan.table_filters.get());
	state.options.force_fetch_row = FetchesSingleRows(context);
	if (removes_columns) {
		all_columns.Initialize(Allocator::Get(context), ScannedTypes(scan));
	}
	range.NextRowGroup(context, state);
}

void TableRange::Reader::Next(DataChunk &output) {
	auto &target = removes_columns ? all_columns : output;
	while (true) {
		target.Reset();
		range.storage.Scan(range.transaction, target, state);
		if (target.size() > 0) {
			break;
		}
		if (!range.NextRowGroup(context, state)) {
			return;
		}
		if (context.IsInterrupted()) {
			throw InterruptException();
		}
	}
	if (removes_columns) {
		output.ReferenceColumns(all_columns, scan.projection_ids);
	}
}

idx_t TableRange::Reader::BatchIndex() const {
	if (HasRowGroup(state.table_state)) {
		return state.table_state.batch_index;
	}
	return HasRowGroup(state.local_state) ? state.table_state.batch_index + state.local_state.batch_index : 0;
}

} // namespace duckherder
