#pragma once

#include "compat/names.hpp"

#include "duckdb/common/multi_file/multi_file_reader.hpp"

//! Readers of many files: what 2.0 passes to them in one structure.

namespace duckherder {

//! A reader of many files that may keep its list of files as it is
class FixedFilesReader : public duckdb::MultiFileReader {
public:
	//! Whether filters take no files out of the list
	virtual bool KeepsFiles() const = 0;

#if DUCKHERDER_DUCKDB_MAJOR < 2
	duckdb::unique_ptr<duckdb::MultiFileList> DynamicFilterPushdown(
	    duckdb::ClientContext &context, const duckdb::MultiFileList &files, const duckdb::MultiFileOptions &options,
	    const duckdb::vector<duckdb::string> &names, const duckdb::vector<duckdb::LogicalType> &types,
	    const duckdb::vector<duckdb::column_t> &column_ids, duckdb::TableFilterSet &filters) override {
		return KeepsFiles()
		           ? nullptr
		           : MultiFileReader::DynamicFilterPushdown(context, files, options, names, types, column_ids, filters);
	}
#else
	duckdb::unique_ptr<duckdb::MultiFileList>
	DynamicFilterPushdown(const duckdb::MultiFileList &files, duckdb::MultiFileDynamicPushdownInfo &info) override {
		return KeepsFiles() ? nullptr : MultiFileReader::DynamicFilterPushdown(files, info);
	}
#endif
};

} // namespace duckherder
