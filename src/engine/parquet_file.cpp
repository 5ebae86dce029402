#include "engine/parquet_file.hpp"

#include "engine/scan_file.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! As DuckDB reads it off the open file; the first words of LocalFileSystem's version tag
struct LocalVersionTag {
	uint64_t device = 0;
	uint64_t inode = 0;
	uint64_t size_bytes = 0;
};

bool IsOpenedFile(const LocalFileVersion &version, const string &tag) {
	LocalVersionTag opened;
	if (tag.size() < sizeof(opened)) {
		return true;
	}
	memcpy(&opened, tag.data(), sizeof(opened));
	return opened.device == version.device && opened.inode == version.inode && opened.size_bytes == version.size_bytes;
}

void CheckLocalVersion(const ScanFile &file, const OpenedFile &opened) {
	auto now = VersionOfLocalFile(file.path);
	if (!now || *now != *file.local || !IsOpenedFile(*now, opened.version_tag)) {
		throw FileVersionException(file.path, "its footer was read from an older one");
	}
}

} // namespace

shared_ptr<BaseFileReader> ReadOnlyRowGroups(ClientContext &context, const ScanFile &file, const RowRange &rows,
                                             bool at_borders, shared_ptr<BaseFileReader> reader) {
	auto group_rows = RowGroupRows(context, *reader);
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
	return ReadRowGroups(std::move(reader), first, end);
}

void AddOpenedVersion(ClientContext &context, ScanFile &file, BaseFileReader &reader) {
	if (file.local) {
		// What has its name now is looked at anyway.
		CheckLocalVersion(file, OPENED_FILE_IS_A_LATER_ONE ? OpenedFile() : DescribeOpenedFile(context, reader));
	} else if (!file.has_version && !file.immutable) {
		auto opened = DescribeOpenedFile(context, reader);
		file.etag = opened.version_tag;
		file.last_modified_us = opened.last_modified_us;
		file.size_bytes = opened.size_bytes;
		file.has_version = !file.etag.empty();
	} else {
		return;
	}
	auto is_known = file.local || file.has_version;
	if (!is_known || OPENED_FILE_IS_A_LATER_ONE) {
		file.footer_hash = FooterHash(context, reader);
	}
}

void CheckOpenedVersion(ClientContext &context, const ScanFile &file, BaseFileReader &reader) {
	if (file.footer_hash == 0) {
		// The file system has compared local files when it opened them, and stores compare their versions.
		return;
	}
	if (FooterHash(context, reader) != file.footer_hash) {
		throw FileVersionException(file.path, "its footer is another one");
	}
}

} // namespace duckherder
