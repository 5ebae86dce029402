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

//! Reads by another reader, which has been given what is read of its file. For what changes some of what that does:
//! the classes of the readers themselves are not for others to derive from.
class ForwardingReader : public duckdb::BaseFileReader {
public:
	explicit ForwardingReader(duckdb::shared_ptr<duckdb::BaseFileReader> reader)
	    : BaseFileReader(reader->file), inner(std::move(reader)) {
		// What DuckDB asks a reader for after it has told it what to read.
		file_list_idx = inner->file_list_idx;
		columns = inner->columns;
		column_ids = inner->column_ids;
		column_indexes = inner->column_indexes;
		cast_map = inner->cast_map;
		for (auto &entry : inner->expression_map) {
			CopyExpression(entry);
		}
	}

	bool UseCastMap() const override {
		return inner->UseCastMap();
	}
	duckdb::shared_ptr<duckdb::BaseUnionData> GetUnionData(duckdb::idx_t file_idx) override {
		return inner->GetUnionData(file_idx);
	}
	duckdb::unique_ptr<duckdb::BaseStatistics> GetStatistics(duckdb::ClientContext &context,
	                                                         const duckdb::Identifier &name) override {
		return inner->GetStatistics(context, name);
	}
	void PrepareReader(duckdb::ClientContext &context, duckdb::GlobalTableFunctionState &state) override {
		inner->PrepareReader(context, state);
	}
	bool TryInitializeScan(duckdb::ClientContext &context, duckdb::GlobalTableFunctionState &global_state,
	                       duckdb::LocalTableFunctionState &local_state) override {
		return inner->TryInitializeScan(context, global_state, local_state);
	}
	void PrepareScan(duckdb::ClientContext &context, duckdb::GlobalTableFunctionState &global_state,
	                 duckdb::LocalTableFunctionState &local_state) override {
		inner->PrepareScan(context, global_state, local_state);
	}
	duckdb::AsyncResult Scan(duckdb::ClientContext &context, duckdb::GlobalTableFunctionState &global_state,
	                         duckdb::LocalTableFunctionState &local_state, duckdb::DataChunk &chunk) override {
		return inner->Scan(context, global_state, local_state, chunk);
	}
	void FinishFile(duckdb::ClientContext &context, duckdb::GlobalTableFunctionState &state) override {
		inner->FinishFile(context, state);
	}
	double GetProgressInFile(duckdb::ClientContext &context) override {
		return inner->GetProgressInFile(context);
	}
	std::string GetReaderType() const override {
		return inner->GetReaderType();
	}

#if DUCKHERDER_DUCKDB_MAJOR < 2
private:
	template <class ENTRY>
	void CopyExpression(const ENTRY &entry) {
		expression_map.emplace(entry.first, entry.second->Copy());
	}
#else
	duckdb::unique_ptr<duckdb::BaseStatistics> GetVirtualColumnStatistics(duckdb::ClientContext &context,
	                                                                      duckdb::column_t column) override {
		return inner->GetVirtualColumnStatistics(context, column);
	}
	void PrepareReadAhead(duckdb::ClientContext &context, duckdb::GlobalTableFunctionState &state) override {
		inner->read_ahead_open_file = read_ahead_open_file;
		inner->PrepareReadAhead(context, state);
	}
	duckdb::AsyncResult ScheduleIO(duckdb::ClientContext &context, duckdb::GlobalTableFunctionState &global_state,
	                               duckdb::LocalTableFunctionState &local_state) override {
		return inner->ScheduleIO(context, global_state, local_state);
	}
	duckdb::InsertionOrderPreservingMap<duckdb::Value> GetMetadata() const override {
		return inner->GetMetadata();
	}

private:
	template <class ENTRY>
	void CopyExpression(const ENTRY &entry) {
		expression_map.emplace(entry.first, duckdb::BaseFileReaderExpression(entry.second.expression->Copy(),
		                                                                     entry.second.column_indexes));
	}
#endif

private:
	const duckdb::shared_ptr<duckdb::BaseFileReader> inner;
};

} // namespace duckherder
