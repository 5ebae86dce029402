#include "planner/place/index_scans.hpp"

#include "compat/filters.hpp"
#include "planner/split/partition_information.hpp"

#include "duckdb/catalog/catalog_entry/duck_table_entry.hpp"
#include "duckdb/function/table/table_scan.hpp"
#include "duckdb/storage/data_table.hpp"
#include "duckdb/storage/table/data_table_info.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! DuckDB uses one index for one filter; most scans are told apart by this alone
bool MayUseIndex(const LogicalGet &get) {
	if (!IsTableScan(get) || FilterCount(get.table_filters) != 1) {
		return false;
	}
	auto &table = get.bind_data->Cast<TableScanBindData>().table;
	return table.IsDuckTable() && !table.Cast<DuckTableEntry>().GetStorage().GetDataTableInfo()->GetIndexes().Empty();
}

} // namespace

bool AnsweredByIndex(ClientContext &context, const LogicalGet &get) {
	if (!MayUseIndex(get)) {
		return false;
	}
	auto filters = FiltersByPosition(get);
	// a copy, because DuckDB notes in the bind data that it used an index
	auto bind_data = get.bind_data->Copy();
	TableFunctionInitInput input(bind_data.get(), get.GetColumnIds(), Positions(get.projection_ids), &filters);
	get.function.init_global(context, input);
	return bind_data->Cast<TableScanBindData>().is_index_scan;
}

} // namespace duckherder
