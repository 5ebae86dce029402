#include "engine/parquet_file.hpp"

#include "compat/multi_file.hpp"
#include "engine/scan_file.hpp"

#include <parquet_reader.hpp>

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

//! Where the columns lie, how long they are and between which values: two files of equal length that differ in what
//! they hold differ in some of it.
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

uint64_t HashFooter(const duckdb_parquet::FileMetaData &metadata) {
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

//! As DuckDB reads it off the open file; the first words of LocalFileSystem's version tag
struct OpenedLocalFile {
	uint64_t device = 0;
	uint64_t inode = 0;
	uint64_t size_bytes = 0;
};

bool IsOpenedFile(const LocalFileVersion &version, const string &tag) {
	OpenedLocalFile opened;
	if (tag.size() < sizeof(opened)) {
		return true;
	}
	memcpy(&opened, tag.data(), sizeof(opened));
	return opened.device == version.device && opened.inode == version.inode && opened.size_bytes == version.size_bytes;
}

//! The scan hands out the row groups of a file one after another, and keeps the number of the next one to itself.
class RowGroupReader : public ForwardingReader {
public:
	RowGroupReader(shared_ptr<BaseFileReader> opened, idx_t first_p, idx_t end_p)
	    : ForwardingReader(std::move(opened)), first(first_p), end(end_p) {
	}

	//! Called with the scan's lock held
	bool TryInitializeScan(ClientContext &context, GlobalTableFunctionState &gstate,
	                       LocalTableFunctionState &lstate) override {
		while (next < end && ForwardingReader::TryInitializeScan(context, gstate, lstate)) {
			if (next++ >= first) {
				return true;
			}
		}
		return false;
	}

private:
	const idx_t first;
	const idx_t end;
	idx_t next = 0;
};

//! Not by DuckDB's Cast, which asks for the type information of the class: the Python package of 2.0 keeps that to
//! itself.
ParquetReader &ParquetOf(BaseFileReader &reader) {
	return static_cast<ParquetReader &>(reader);
}

const duckdb_parquet::FileMetaData &FooterOf(BaseFileReader &reader) {
	return *ParquetOf(reader).metadata->metadata;
}

} // namespace

bool HasOrderedBounds(BaseFileReader &reader) {
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

shared_ptr<BaseFileReader> ReadOnlyRowGroups(const ScanFile &file, const RowRange &rows, bool at_borders,
                                             shared_ptr<BaseFileReader> reader) {
	auto group_rows = RowGroupRows(*reader);
	idx_t first = group_rows.size();
	idx_t end = 0;
	idx_t begin_row = 0;
	auto begins_there = rows.start == 0;
	auto ends_there = rows.end == ROWS_UNBOUNDED || rows.end == 0;
	for (idx_t group = 0; group < group_rows.size(); group++) {
		auto end_row = begin_row + group_rows[group];
		begins_there = begins_there || rows.start == begin_row;
		ends_there = ends_there || rows.end == end_row;
		if (begin_row < rows.end && end_row > rows.start) {
			first = MinValue(first, group);
			end = group + 1;
		}
		begin_row = end_row;
	}
	if (at_borders && !(begins_there && ends_there)) {
		throw FileVersionException(file.path, "its row groups are others");
	}
	return make_shared_ptr<RowGroupReader>(std::move(reader), first, end);
}

vector<idx_t> RowGroupRows(BaseFileReader &reader) {
	vector<idx_t> result;
	for (auto &group : FooterOf(reader).row_groups) {
		result.push_back(NumericCast<idx_t>(group.num_rows));
	}
	return result;
}

void AddOpenedVersion(ScanFile &file, BaseFileReader &reader_p) {
	auto &reader = ParquetOf(reader_p);
	auto &handle = reader.GetHandle();
	if (file.local) {
		auto now = VersionOfLocalFile(file.path);
		if (!now || *now != *file.local || !IsOpenedFile(*now, handle.GetVersionTag())) {
			throw FileVersionException(file.path, "its footer was read from an older one");
		}
		return;
	}
	if (file.has_version || file.immutable) {
		return;
	}
	file.etag = handle.GetVersionTag();
	file.last_modified_us = handle.GetLastModifiedTime().value;
	file.size_bytes = handle.GetFileSize();
	file.has_version = !file.etag.empty();
	if (!file.has_version) {
		file.footer_hash = HashFooter(FooterOf(reader_p));
	}
}

void CheckOpenedVersion(const ScanFile &file, BaseFileReader &reader) {
	if (file.footer_hash == 0) {
		// The file system has compared local files when it opened them, and stores compare their versions.
		return;
	}
	if (HashFooter(FooterOf(reader)) != file.footer_hash) {
		throw FileVersionException(file.path, "its footer is another one");
	}
}

void PrepareDecryption(ClientContext &context, BaseFileReader &reader_p) {
	auto &reader = ParquetOf(reader_p);
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
