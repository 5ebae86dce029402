#include "compat/parquet_file.hpp"

#if DUCKHERDER_DUCKDB_MAJOR < 2

#include "compat/multi_file.hpp"

#include <parquet_reader.hpp>

#include "duckdb/common/multi_file/multi_file_function.hpp"
#include "duckdb/main/database.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

hash_t Combine(hash_t hash, int64_t value) {
	return CombineHash(hash, Hash<int64_t>(value));
}

hash_t Combine(hash_t hash, const std::string &text) {
	return CombineHash(hash, Hash(text.c_str(), text.size()));
}

//! Where the columns lie, how long they are and between which values
hash_t HashColumn(hash_t hash, const duckdb_parquet::ColumnMetaData &column) {
	hash = Combine(hash, column.num_values);
	hash = Combine(hash, column.total_compressed_size);
	hash = Combine(hash, column.total_uncompressed_size);
	hash = Combine(hash, column.data_page_offset);
	hash = Combine(hash, column.dictionary_page_offset);
	auto &statistics = column.statistics;
	for (auto &bound : {statistics.min, statistics.max, statistics.min_value, statistics.max_value}) {
		hash = Combine(hash, bound);
	}
	return Combine(hash, statistics.null_count);
}

//! Reads by another reader, which has been given what is read of its file. For what changes some of what that does:
//! the classes of the readers themselves are not for others to derive from.
class ForwardingReader : public BaseFileReader {
public:
	explicit ForwardingReader(shared_ptr<BaseFileReader> reader)
	    : BaseFileReader(reader->file), inner(std::move(reader)) {
		// What DuckDB asks a reader for after it has told it what to read.
		file_list_idx = inner->file_list_idx;
		columns = inner->columns;
		column_ids = inner->column_ids;
		column_indexes = inner->column_indexes;
		cast_map = inner->cast_map;
		for (auto &entry : inner->expression_map) {
			expression_map.emplace(entry.first, entry.second->Copy());
		}
	}

	bool UseCastMap() const override {
		return inner->UseCastMap();
	}
	shared_ptr<BaseUnionData> GetUnionData(idx_t file_idx) override {
		return inner->GetUnionData(file_idx);
	}
	unique_ptr<BaseStatistics> GetStatistics(ClientContext &context, const Identifier &name) override {
		return inner->GetStatistics(context, name);
	}
	void PrepareReader(ClientContext &context, GlobalTableFunctionState &state) override {
		inner->PrepareReader(context, state);
	}
	bool TryInitializeScan(ClientContext &context, GlobalTableFunctionState &global_state,
	                       LocalTableFunctionState &local_state) override {
		return inner->TryInitializeScan(context, global_state, local_state);
	}
	void PrepareScan(ClientContext &context, GlobalTableFunctionState &global_state,
	                 LocalTableFunctionState &local_state) override {
		inner->PrepareScan(context, global_state, local_state);
	}
	AsyncResult Scan(ClientContext &context, GlobalTableFunctionState &global_state,
	                 LocalTableFunctionState &local_state, DataChunk &chunk) override {
		return inner->Scan(context, global_state, local_state, chunk);
	}
	void FinishFile(ClientContext &context, GlobalTableFunctionState &state) override {
		inner->FinishFile(context, state);
	}
	double GetProgressInFile(ClientContext &context) override {
		return inner->GetProgressInFile(context);
	}
	string GetReaderType() const override {
		return inner->GetReaderType();
	}

private:
	const shared_ptr<BaseFileReader> inner;
};

const duckdb_parquet::FileMetaData &FooterOf(BaseFileReader &reader) {
	return *reader.Cast<ParquetReader>().metadata->metadata;
}

} // namespace

shared_ptr<BaseFileReader> OpenParquetFile(ClientContext &context, GlobalTableFunctionState &gstate,
                                           const OpenFileInfo &file, idx_t file_idx,
                                           const MultiFileBindData &bind_data) {
	return bind_data.interface->CreateReader(context, gstate, file, file_idx, bind_data);
}

vector<idx_t> RowGroupRows(ClientContext &, BaseFileReader &reader) {
	vector<idx_t> result;
	for (auto &group : FooterOf(reader).row_groups) {
		result.push_back(NumericCast<idx_t>(group.num_rows));
	}
	return result;
}

shared_ptr<BaseFileReader> ReadRowGroups(shared_ptr<BaseFileReader> reader, idx_t first, idx_t end) {
	auto result = make_shared_ptr<RowGroupReader<ForwardingReader>>(std::move(reader));
	result->SetRowGroups(first, end);
	return result;
}

bool HasOrderedBounds(BaseFileReader &reader, const vector<PartitionStatistics> &, idx_t) {
	for (auto &group : FooterOf(reader).row_groups) {
		for (auto &column : group.columns) {
			auto &known = column.meta_data.statistics.__isset;
			if ((known.min && !known.min_value) || (known.max && !known.max_value)) {
				return false;
			}
		}
	}
	return true;
}

uint64_t FooterHash(ClientContext &, BaseFileReader &reader) {
	auto &metadata = FooterOf(reader);
	auto hash = Combine(Hash<int64_t>(metadata.num_rows), metadata.created_by);
	for (auto &element : metadata.schema) {
		hash = Combine(hash, element.name);
	}
	for (auto &group : metadata.row_groups) {
		hash = Combine(hash, group.num_rows);
		for (auto &column : group.columns) {
			hash = HashColumn(hash, column.meta_data);
		}
	}
	return MaxValue<uint64_t>(hash, 1);
}

OpenedFile DescribeOpenedFile(ClientContext &, BaseFileReader &reader) {
	auto &handle = reader.Cast<ParquetReader>().GetHandle();
	return {handle.GetVersionTag(), handle.GetLastModifiedTime().value, handle.GetFileSize()};
}

void PrepareDecryption(ClientContext &context, BaseFileReader &reader_p) {
	auto &reader = reader_p.Cast<ParquetReader>();
	auto &crypto = reader.metadata->crypto_metadata;
	auto encrypted = crypto && crypto->encryption_algorithm.__isset.AES_GCM_V1;
	auto has_key = reader.parquet_options.encryption_config != nullptr;
	if (encrypted && !has_key) {
		throw InvalidInputException("File '%s' is encrypted, but 'encryption_config' was not set", reader.file.path);
	}
	if (!encrypted && has_key) {
		throw InvalidInputException("File '%s' is not encrypted, but 'encryption_config' was set", reader.file.path);
	}
	if (encrypted && !reader.encryption_util) {
		reader.encryption_util = context.db->GetEncryptionUtil(true);
	}
}

} // namespace duckherder

#endif
