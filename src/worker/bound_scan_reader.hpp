#pragma once

#include "compat/multi_file.hpp"
#include "engine/bound_scan.hpp"
#include "plan/pipeline_task.hpp"

#include "duckdb.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace duckherder {

//! Reads the files of one task for a scan that the session has bound: names, types, hive columns and options are the
//! session's, nothing is derived from the task's part of the list. Outside of tasks it is DuckDB's own reader.
class BoundScanReader : public FixedFilesReader {
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
	          duckdb::vector<duckdb::LogicalType> &types, duckdb::vector<duckdb::Identifier> &names,
	          duckdb::MultiFileReaderBindData &bind_data) override;
	void BindOptions(duckdb::MultiFileOptions &options, duckdb::MultiFileList &files,
	                 duckdb::vector<duckdb::LogicalType> &types, duckdb::vector<duckdb::Identifier> &names,
	                 duckdb::MultiFileReaderBindData &bind_data) override;
	//! It would look at paths as they are here. Each file is asked once its columns are known: see FinalizeBind.
	bool KeepsFiles() const override;
	duckdb::shared_ptr<duckdb::BaseFileReader> CreateReader(duckdb::ClientContext &context,
	                                                        duckdb::GlobalTableFunctionState &gstate,
	                                                        const duckdb::OpenFileInfo &file, duckdb::idx_t file_idx,
	                                                        const duckdb::MultiFileBindData &bind_data) override;
	void FinalizeBind(duckdb::MultiFileReaderData &reader_data, const duckdb::MultiFileOptions &file_options,
	                  const duckdb::MultiFileReaderBindData &options,
	                  const duckdb::vector<duckdb::MultiFileColumnDefinition> &global_columns,
	                  const duckdb::vector<duckdb::ColumnIndex> &global_column_ids, duckdb::ClientContext &context,
	                  duckdb::optional_ptr<duckdb::MultiFileReaderGlobalState> global_state) override;
	//! Leaves out filters of columns that the file has in another type if DuckDB would refuse to apply them there.
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
