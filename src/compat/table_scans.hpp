#pragma once

#include "compat/names.hpp"

#include "duckdb/main/client_config.hpp"
#include "duckdb/main/settings.hpp"
#include "duckdb/storage/data_table.hpp"
#include "duckdb/storage/table/row_group.hpp"
#include "duckdb/storage/table/row_group_segment_tree.hpp"
#include "duckdb/storage/table/scan_state.hpp"

//! Scans of DuckDB's own tables

namespace duckherder {

#if DUCKHERDER_DUCKDB_MAJOR < 2

//! The row group that the next thread gets; null at the end
inline void AssignRowGroup(duckdb::ParallelCollectionScanState &part,
                           duckdb::optional_ptr<duckdb::SegmentNode<duckdb::RowGroup>> row_group) {
	part.current_row_group = row_group;
}

//! Prepares the scan of the next row group. False if there is none.
inline bool NextRowGroupOf(duckdb::DataTable &table, duckdb::ClientContext &context,
                           duckdb::ParallelTableScanState &parallel, duckdb::TableScanState &state) {
	return table.NextParallelScan(context, parallel, state) > 0;
}

inline bool HasRowGroup(const duckdb::CollectionScanState &state) {
	return state.row_group != nullptr;
}

//! A setting by which DuckDB tests how it reads single rows
inline bool FetchesSingleRows(duckdb::ClientContext &context) {
	return duckdb::ClientConfig::GetConfig(context).force_fetch_row;
}

#else

inline void AssignRowGroup(duckdb::ParallelCollectionScanState &part,
                           duckdb::optional_ptr<duckdb::SegmentNode<duckdb::RowGroup>> row_group) {
	part.AssignRowGroup(row_group);
}

inline bool NextRowGroupOf(duckdb::DataTable &table, duckdb::ClientContext &context,
                           duckdb::ParallelTableScanState &parallel, duckdb::TableScanState &state) {
	return table.NextParallelScan(context, parallel, state).IsValid();
}

inline bool HasRowGroup(const duckdb::CollectionScanState &state) {
	return state.GetRowGroup() != nullptr;
}

inline bool FetchesSingleRows(duckdb::ClientContext &context) {
	return duckdb::Settings::Get<duckdb::DebugForceFetchRowSetting>(context);
}

#endif

} // namespace duckherder
