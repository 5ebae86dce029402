#pragma once

#include "compat/names.hpp"

#include "duckdb/common/multi_file/base_file_reader.hpp"
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

//! A reader of one file that reads some of its row groups: the scan hands them out one after another, and keeps the
//! number of the next one to itself.
template <class READER>
class RowGroupReader : public READER {
public:
	using READER::READER;

	//! Before the scan starts: those from `first_p` on, before `end_p`. Without it all are read.
	void SetRowGroups(duckdb::idx_t first_p, duckdb::idx_t end_p) {
		first = first_p;
		end = end_p;
	}

	//! Called with the scan's lock held
	bool TryInitializeScan(duckdb::ClientContext &context, duckdb::GlobalTableFunctionState &global_state,
	                       duckdb::LocalTableFunctionState &local_state) override {
		while (next < end && READER::TryInitializeScan(context, global_state, local_state)) {
			if (next++ >= first) {
				return true;
			}
		}
		return false;
	}

private:
	duckdb::idx_t first = 0;
	duckdb::idx_t end = duckdb::DConstants::INVALID_INDEX;
	duckdb::idx_t next = 0;
};

} // namespace duckherder
