#pragma once

#include "engine/bound_scan.hpp"
#include "plan/pipeline_task.hpp"

#include "duckdb.hpp"
#include "duckdb/common/multi_file/multi_file_reader.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace duckherder {

//! Reads the files of one task for a scan that the session has bound: names, types, hive columns and options are the
//! session's, nothing is derived from the task's part of the list. Outside of tasks it is DuckDB's own reader.
class BoundScanReader : public duckdb::MultiFileReader {
public:
	//! From here on the Parquet scans that this database deserializes read by it.
	static void Register(duckdb::DatabaseInstance &db);

	//! Before the scan starts: the files of the task, in the order of the scan's list of files.
	void SetFiles(std::vector<ScanFile> task_files);
	//! Likewise: of its one file the task reads the row groups with these rows. With `at_borders` they have no others.
	void SetRows(const RowRange &task_rows, bool at_borders);

	duckdb::shared_ptr<duckdb::MultiFileList> CreateFileList(duckdb::ClientContext &context,
	                                                         const duckdb::vector<duckdb::string> &paths,
	                                                         const duckdb::FileGlobInput &glob_input) override;
	bool Bind(duckdb::MultiFileOptions &options, duckdb::MultiFileList &files,
	          duckdb::vector<duckdb::LogicalType> &types, duckdb::vector<duckdb::string> &names,
	          duckdb::MultiFileReaderBindData &bind_data) override;
	void BindOptions(duckdb::MultiFileOptions &options, duckdb::MultiFileList &files,
	                 duckdb::vector<duckdb::LogicalType> &types, duckdb::vector<duckdb::string> &names,
	                 duckdb::MultiFileReaderBindData &bind_data) override;
	duckdb::unique_ptr<duckdb::MultiFileList>
	DynamicFilterPushdown(duckdb::ClientContext &context, const duckdb::MultiFileList &files,
	                      const duckdb::MultiFileOptions &options, const duckdb::vector<duckdb::string> &names,
	                      const duckdb::vector<duckdb::LogicalType> &types,
	                      const duckdb::vector<duckdb::column_t> &column_ids, duckdb::TableFilterSet &filters) override;
	duckdb::shared_ptr<duckdb::BaseFileReader> CreateReader(duckdb::ClientContext &context,
	                                                        duckdb::GlobalTableFunctionState &gstate,
	                                                        const duckdb::OpenFileInfo &file, duckdb::idx_t file_idx,
	                                                        const duckdb::MultiFileBindData &bind_data) override;
	void FinalizeBind(duckdb::MultiFileReaderData &reader_data, const duckdb::MultiFileOptions &file_options,
	                  const duckdb::MultiFileReaderBindData &options,
	                  const duckdb::vector<duckdb::MultiFileColumnDefinition> &global_columns,
	                  const duckdb::vector<duckdb::ColumnIndex> &global_column_ids, duckdb::ClientContext &context,
	                  duckdb::optional_ptr<duckdb::MultiFileReaderGlobalState> global_state) override;
	//! Leaves out Bloom filters of columns that the file has in another type: a hash join has pushed them down to save
	//! itself rows, but DuckDB 1.5.5 knows no way to apply them below a cast and throws NotImplementedException.
	duckdb::ReaderInitializeType
	InitializeReader(duckdb::MultiFileReaderData &reader_data, const duckdb::MultiFileBindData &bind_data,
	                 const duckdb::vector<duckdb::MultiFileColumnDefinition> &global_columns,
	                 const duckdb::vector<duckdb::ColumnIndex> &global_column_ids,
	                 duckdb::optional_ptr<duckdb::TableFilterSet> table_filters, duckdb::ClientContext &context,
	                 duckdb::MultiFileGlobalState &gstate) override;
	duckdb::unique_ptr<duckdb::MultiFileReader> Copy() const override;

	using duckdb::MultiFileReader::CreateFileList;
	using duckdb::MultiFileReader::CreateReader;

private:
	std::optional<BoundScan> bound;
	//! Shared with the copies that DuckDB makes of a scan
	std::shared_ptr<const std::vector<ScanFile>> files;
	//! Nothing: all
	std::optional<RowRange> rows;
	bool rows_end_at_borders = false;
};

} // namespace duckherder
