#pragma once

#include "compat/names.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/binder.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

namespace duckherder {

//! Rows of one of a lake's files that are deleted: by their positions in it, as another file lists them.
struct LakeDeletes {
	duckdb::string data_file;
	duckdb::string delete_file;
};

//! A scan of a lake's files, and what its plan shows of it: its bindings and types.
struct ScanOfFiles {
	duckdb::unique_ptr<duckdb::LogicalGet> get;
	duckdb::vector<duckdb::ColumnBinding> bindings;
	duckdb::vector<duckdb::LogicalType> types;
};

//! The rows of `scan` that were not deleted by a snapshot: an anti join by file and position with `positions`, a scan
//! of all files that list deletes, with the columns position (BIGINT) and snapshot (BIGINT, NULL for all). What the
//! scan showed are columns 0, 1, ... of the table index `result_index`. `join` is set to the join in it. Null if two of
//! the files could be taken for each other.
duckdb::unique_ptr<duckdb::LogicalOperator>
WithoutDeleted(duckdb::ClientContext &context, duckdb::Binder &binder, ScanOfFiles scan,
               duckdb::unique_ptr<duckdb::LogicalGet> positions, const duckdb::vector<duckdb::string> &data_files,
               const duckdb::vector<LakeDeletes> &deletes, duckdb::idx_t snapshot, duckdb::TableIndex result_index,
               duckdb::optional_ptr<const duckdb::LogicalOperator> &join);

} // namespace duckherder
