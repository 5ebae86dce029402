#pragma once

#include "planner/interface/distributed_plan.hpp"

#include "duckdb.hpp"
#include "duckdb/common/multi_file/multi_file_list.hpp"
#include "duckdb/main/client_context_state.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

namespace duckherder {

//! What a catalog of DuckLake says of itself
constexpr const char *LAKE_CATALOG_TYPE = "ducklake";

//! Whether DuckLake's own function reads a table of a lake there.
bool IsLakeScan(const duckdb::LogicalGet &get);

//! DuckLake attaches the catalog of a lake under its name with this before it
constexpr const char *LAKE_METADATA_PREFIX = "__ducklake_metadata_";

//! The files of a table in a lake, whose catalog knows how many rows each has: nobody has to open them to plan.
class CountedFileList : public duckdb::SimpleMultiFileList {
public:
	CountedFileList(duckdb::vector<duckdb::OpenFileInfo> files, duckdb::vector<duckdb::idx_t> rows);

	//! Of each file
	const duckdb::vector<duckdb::idx_t> rows;
};

//! Whether statements before the running one have changed anything in the connection's transaction. Who runs the
//! statements of a transaction keeps it, as DuckDB only knows that one of them does, the running one included; without
//! it, each of them might have. The planner reads it with the connection's lock held.
struct EarlierChanges : public duckdb::ClientContextState {
	static constexpr const char *NAME = "duckherder_earlier_changes";

	bool any = false;
};

//! Turns scans of DuckLake tables into scans of their Parquet files at the snapshot that the query pinned, which
//! workers can read: DuckLake's own scan needs its catalog, and that is here only. The files are those that DuckLake
//! has chosen for the scan's filters; columns are found by their field ids, so renamed and added ones come out right.
//! Deleted rows are left out by an anti join with the files that list them.
//! Left alone, and so read here, are tables with inlined rows or deletes, with more deletes than every task should
//! read, with files that were not written by DuckLake, are encrypted, or hold rows of later snapshots, with nested
//! columns that were altered within, and those that this transaction has changed. `binder` gives table indexes that the
//! plan does not have. Returns those anti joins; their right sides are small, and the left ones are scans that stay as
//! they are.
std::unordered_set<const duckdb::LogicalOperator *> ReadLakeFiles(duckdb::ClientContext &context,
                                                                  duckdb::Binder &binder,
                                                                  duckdb::unique_ptr<duckdb::LogicalOperator> &plan);

//! Whether files of this lake are written encrypted; also if its catalog cannot be read.
bool IsEncryptedLake(duckdb::ClientContext &context, const duckdb::string &catalog);

} // namespace duckherder
