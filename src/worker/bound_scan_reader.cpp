#include "worker/bound_scan_reader.hpp"

#include "compat/filters.hpp"
#include "compat/functions.hpp"
#include "compat/names.hpp"
#include "engine/parquet_file.hpp"
#include "engine/scan_file.hpp"

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/catalog/catalog_entry/table_function_catalog_entry.hpp"
#include "duckdb/common/hive_partitioning.hpp"
#include "duckdb/common/multi_file/multi_file_list.hpp"
#include "duckdb/common/multi_file/multi_file_states.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

unique_ptr<MultiFileReader> MakeReader(const BoundTableFunction &) {
	return make_uniq<BoundScanReader>();
}

bool IsFileName(const MultiFileReaderBindData &options, column_t column) {
	return column == MultiFileReader::COLUMN_IDENTIFIER_FILENAME ||
	       (options.filename_idx.IsValid() && column == options.filename_idx.GetIndex());
}

//! Whether the file has a column of that name and type. One that lacks the name is read as a constant, which filters of
//! each kind can be applied to.
bool HasColumn(const BaseFileReader &file, const MultiFileColumnDefinition &column) {
	return std::any_of(file.columns.begin(), file.columns.end(), [&](const MultiFileColumnDefinition &found) {
		return StringUtil::CIEquals(NameText(found.name), NameText(column.name)) && found.type == column.type;
	});
}

} // namespace

void BoundScanReader::Register(DatabaseInstance &db) {
	Connection connection(db);
	auto &context = *connection.context;
	context.RunFunctionInTransaction([&] {
		for (auto name : {"parquet_scan", "read_parquet"}) {
			auto &entry = Catalog::GetEntry<TableFunctionCatalogEntry>(context, SYSTEM_CATALOG, DEFAULT_SCHEMA, name);
			ChangeOverloads(entry.functions,
			                [](TableFunction &function) { function.get_multi_file_reader = MakeReader; });
		}
	});
}

void BoundScanReader::SetFiles(std::vector<ScanFile> task_files) {
	files = std::make_shared<const std::vector<ScanFile>>(std::move(task_files));
}

void BoundScanReader::SetRows(const RowRange &task_rows, bool at_borders) {
	rows = task_rows;
	rows_end_at_borders = at_borders;
}

shared_ptr<MultiFileList> BoundScanReader::CreateFileList(ClientContext &context, const vector<string> &paths,
                                                          const FileGlobInput &glob_input) {
	bound = DecodeBoundScan(paths);
	if (!bound) {
		return MultiFileReader::CreateFileList(context, paths, glob_input);
	}
	// Each task brings its files.
	return make_shared_ptr<SimpleMultiFileList>(vector<OpenFileInfo>());
}

bool BoundScanReader::Bind(MultiFileOptions &options, MultiFileList &list, vector<LogicalType> &types,
                           vector<Identifier> &names, MultiFileReaderBindData &bind_data) {
	if (!bound) {
		return MultiFileReader::Bind(options, list, types, names, bind_data);
	}
	types = bound->types;
	names = bound->names;
	bind_data = bound->reader_bind;
	options = bound->options;
	return true;
}

void BoundScanReader::BindOptions(MultiFileOptions &options, MultiFileList &list, vector<LogicalType> &types,
                                  vector<Identifier> &names, MultiFileReaderBindData &bind_data) {
	if (!bound) {
		MultiFileReader::BindOptions(options, list, types, names, bind_data);
	}
}

bool BoundScanReader::KeepsFiles() const {
	return bound.has_value();
}

shared_ptr<BaseFileReader> BoundScanReader::CreateReader(ClientContext &context, GlobalTableFunctionState &gstate,
                                                         const OpenFileInfo &file, idx_t file_idx,
                                                         const MultiFileBindData &bind_data) {
	auto opened = files ? ToOpenFileInfo(files->at(file_idx)) : file;
	auto result = OpenParquetFile(context, gstate, opened, file_idx, bind_data);
	PrepareDecryption(context, *result);
	if (files) {
		CheckOpenedVersion(context, files->at(file_idx), *result);
	}
	return result;
}

void BoundScanReader::FinalizeBind(MultiFileReaderData &reader_data, const MultiFileOptions &file_options,
                                   const MultiFileReaderBindData &options,
                                   const vector<MultiFileColumnDefinition> &global_columns,
                                   const vector<ColumnIndex> &global_column_ids, ClientContext &context,
                                   optional_ptr<MultiFileReaderGlobalState> global_state) {
	MultiFileReader::FinalizeBind(reader_data, file_options, options, global_columns, global_column_ids, context,
	                              global_state);
	if (!files) {
		return;
	}
	// What is made of a file's name is made of the name that the user wrote.
	auto &written = files->at(reader_data.reader->file_list_idx.GetIndex()).Written();
	for (auto &constant : reader_data.constant_map) {
		auto column = global_column_ids[constant.column_idx.GetIndex()].GetPrimaryIndex();
		if (IsFileName(options, column)) {
			constant.value = Value(written);
		}
		for (auto &partition : options.hive_partitioning_indexes) {
			if (partition.index == column) {
				auto values = HivePartitioning::Parse(written);
				constant.value = file_options.GetHivePartitionValue(values[partition.value], partition.value, context);
			}
		}
	}
}

ReaderInitializeType BoundScanReader::InitializeReader(MultiFileReaderData &reader_data,
                                                       const MultiFileBindData &bind_data,
                                                       const vector<MultiFileColumnDefinition> &global_columns,
                                                       const vector<ColumnIndex> &global_column_ids,
                                                       optional_ptr<TableFilterSet> table_filters,
                                                       ClientContext &context, MultiFileGlobalState &gstate) {
	auto is_cast = [&](idx_t position) {
		auto column = global_column_ids.at(position).GetPrimaryIndex();
		return column < global_columns.size() && !HasColumn(*reader_data.reader, global_columns[column]);
	};
	auto applicable = table_filters ? ApplicableBelowCasts(*table_filters, is_cast) : std::nullopt;
	if (applicable) {
		table_filters = &*applicable;
	}
	auto initialized = MultiFileReader::InitializeReader(reader_data, bind_data, global_columns, global_column_ids,
	                                                     table_filters, context, gstate);
	if (files && rows) {
		auto &file = files->at(reader_data.reader->file_list_idx.GetIndex());
		reader_data.reader = ReadOnlyRowGroups(context, file, *rows, rows_end_at_borders, reader_data.reader);
	}
	return initialized;
}

unique_ptr<MultiFileReader> BoundScanReader::Copy() const {
	auto result = make_uniq<BoundScanReader>();
	result->function_name = function_name;
	result->bound = bound;
	result->files = files;
	result->rows = rows;
	result->rows_end_at_borders = rows_end_at_borders;
	return result;
}

} // namespace duckherder
