#include "codec/scan_file.hpp"

#include "duckdb/common/file_system.hpp"

#include <algorithm>

namespace duckherder {

using namespace duckdb;

namespace {

// the names are DuckDB's: httpfs asks for nothing if it finds the first three, the Parquet reader knows the others
constexpr const char *SIZE = "file_size";
constexpr const char *ETAG = "etag";
constexpr const char *LAST_MODIFIED = "last_modified";
constexpr const char *FOOTER_SIZE = "footer_size";
constexpr const char *VALIDATE = "validate_external_file_cache";

optional_ptr<const Value> Find(const OpenFileInfo &file, const char *name) {
	if (!file.extended_info) {
		return nullptr;
	}
	auto &options = file.extended_info->options;
	auto entry = options.find(name);
	return entry == options.end() || entry->second.IsNull() ? nullptr : &entry->second;
}

} // namespace

ScanFile DescribeFile(const OpenFileInfo &file) {
	ScanFile result(file.path);
	auto validate = Find(file, VALIDATE);
	result.immutable = validate && !validate->GetValue<bool>();
	auto size = Find(file, SIZE);
	auto etag = Find(file, ETAG);
	auto last_modified = Find(file, LAST_MODIFIED);
	if (!size || !etag || !last_modified) {
		return result;
	}
	result.etag = etag->ToString();
	// without an etag nobody would notice that the file is another one than planned with
	result.has_version = result.immutable || !result.etag.empty();
	result.size_bytes = size->GetValue<uint64_t>();
	result.last_modified_us = last_modified->GetValue<timestamp_t>().value;
	if (auto footer = Find(file, FOOTER_SIZE)) {
		result.footer_bytes = footer->GetValue<uint64_t>();
	}
	return result;
}

OpenFileInfo ToOpenFileInfo(const ScanFile &file) {
	OpenFileInfo result(file.path);
	if (!file.has_version) {
		return result;
	}
	result.extended_info = make_shared_ptr<ExtendedOpenFileInfo>();
	auto &options = result.extended_info->options;
	options[SIZE] = Value::UBIGINT(file.size_bytes);
	options[ETAG] = Value(file.etag);
	options[LAST_MODIFIED] = Value::TIMESTAMP(timestamp_t(file.last_modified_us));
	if (file.footer_bytes > 0) {
		options[FOOTER_SIZE] = Value::UBIGINT(file.footer_bytes);
	}
	if (file.immutable) {
		options[VALIDATE] = Value::BOOLEAN(false);
	}
	return result;
}

bool IsRemote(const ScanFile &file) {
	return FileSystem::IsRemoteFile(file.path);
}

bool HasRemoteFiles(const ScanSplit &split) {
	return std::any_of(split.files.begin(), split.files.end(), IsRemote);
}

} // namespace duckherder
