#include "compat/parquet_file.hpp"

#if DUCKHERDER_DUCKDB_MAJOR >= 2

#include "compat/multi_file.hpp"

#include "duckdb/common/multi_file/table_function_multi_file.hpp"
#include "duckdb/storage/external_file_cache/caching_file_system.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

using SomeRowGroupsReader = RowGroupReader<TableFunctionFileReader>;

vector<PartitionStatistics> RowGroupsOf(ClientContext &context, BaseFileReader &reader_p) {
	auto &reader = reader_p.Cast<TableFunctionFileReader>();
	auto &function = reader.GetFunction();
	if (!function.get_partition_stats || !reader.bind_data) {
		throw InternalException("The reader of %s cannot tell row groups", reader.file.path);
	}
	BoundTableFunction bound(function);
	GetPartitionStatsInput input(bound, reader.bind_data.get());
	return function.get_partition_stats(context, input);
}

hash_t HashText(hash_t hash, const std::string &text) {
	return CombineHash(hash, Hash(text.c_str(), text.size()));
}

} // namespace

shared_ptr<BaseFileReader> OpenParquetFile(ClientContext &context, GlobalTableFunctionState &, const OpenFileInfo &file,
                                           idx_t, const MultiFileBindData &bind_data) {
	auto &wrapper = dynamic_cast<TableFunctionMultiFileWrapper &>(*bind_data.interface);
	auto &options = bind_data.bind_data->Cast<TableFunctionMultiFileData>().options;
	auto result =
	    make_shared_ptr<SomeRowGroupsReader>(wrapper.function, file, options.named_parameters, wrapper.settings);
	result->BindFunction(context, options, bind_data.file_options);
	return result;
}

vector<idx_t> RowGroupRows(ClientContext &context, BaseFileReader &reader) {
	vector<idx_t> result;
	for (auto &group : RowGroupsOf(context, reader)) {
		result.push_back(group.count);
	}
	return result;
}

shared_ptr<BaseFileReader> ReadRowGroups(shared_ptr<BaseFileReader> reader, idx_t first, idx_t end) {
	reader->Cast<SomeRowGroupsReader>().SetRowGroups(first, end);
	return reader;
}

bool HasOrderedBounds(BaseFileReader &, const vector<PartitionStatistics> &groups, idx_t column) {
	return std::all_of(groups.begin(), groups.end(), [&](const PartitionStatistics &group) {
		return group.partition_row_group && group.partition_row_group->MinMaxIsExact(StorageIndex(column));
	});
}

uint64_t FooterHash(ClientContext &context, BaseFileReader &reader) {
	hash_t hash = Hash<uint64_t>(0);
	for (auto &column : reader.GetColumns()) {
		hash = HashText(hash, column.name.GetIdentifierName());
		hash = HashText(hash, column.type.ToString());
	}
	for (auto &group : RowGroupsOf(context, reader)) {
		hash = CombineHash(hash, Hash<uint64_t>(group.count));
		for (idx_t column = 0; group.partition_row_group && column < reader.GetColumns().size(); column++) {
			auto statistics = group.partition_row_group->GetColumnStatistics(StorageIndex(column));
			hash = HashText(hash, statistics ? statistics->ToString() : "");
		}
	}
	return MaxValue<uint64_t>(hash, 1);
}

OpenedFile DescribeOpenedFile(ClientContext &context, BaseFileReader &reader) {
	auto handle = CachingFileSystem::Get(context).OpenFile(context, reader.file, FileFlags::FILE_FLAGS_READ);
	return {handle->GetVersionTag(), handle->GetLastModifiedTime().value, handle->GetFileSize()};
}

void PrepareDecryption(ClientContext &, BaseFileReader &) {
}

} // namespace duckherder

#endif
