#include "engine/scan_file.hpp"

#include "duckdb/common/file_system.hpp"

#include <algorithm>
#include <fstream>
#include <sys/stat.h>

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

//! The kernel makes another boot id each time a machine starts, and all containers of the machine see the same one.
uint64_t ThisMachine() {
	static const uint64_t hash = [] {
		std::string boot_id;
		std::ifstream("/proc/sys/kernel/random/boot_id") >> boot_id;
		return boot_id.empty() ? 0 : Hash(boot_id.c_str(), boot_id.size());
	}();
	return hash;
}

} // namespace

ScanFile DescribeFile(const OpenFileInfo &file) {
	ScanFile result(file.path);
	auto validate = Find(file, VALIDATE);
	result.immutable = validate && !validate->GetValue<bool>();
	if (IsLocalPath(file.path) && !result.immutable) {
		return result;
	}
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

std::optional<LocalFileVersion> VersionOfLocalFile(const std::string &path) {
	struct stat status;
	if (stat(path.c_str(), &status) != 0) {
		return std::nullopt;
	}
	constexpr int64_t NS_PER_SECOND = 1'000'000'000;
	LocalFileVersion result;
	result.host = ThisMachine();
	result.device = status.st_dev;
	result.inode = status.st_ino;
	result.size_bytes = static_cast<uint64_t>(status.st_size);
	result.modified_ns = status.st_mtim.tv_sec * NS_PER_SECOND + status.st_mtim.tv_nsec;
	return result;
}

std::string DifferenceOf(const LocalFileVersion &planned, const LocalFileVersion &found) {
	if (planned.size_bytes != found.size_bytes) {
		return StringUtil::Format("it has %llu bytes, and had %llu when the query was planned", found.size_bytes,
		                          planned.size_bytes);
	}
	if (planned.modified_ns != found.modified_ns) {
		auto text = [](int64_t ns) { return Timestamp::ToString(Timestamp::FromEpochNanoSeconds(ns)); };
		return StringUtil::Format("it was written at %s UTC, and the one that the query was planned with at %s",
		                          text(found.modified_ns), text(planned.modified_ns));
	}
	auto same_file_system = planned.host == found.host && planned.device == found.device;
	if (same_file_system && planned.inode != found.inode) {
		return "another file has taken its name since the query was planned";
	}
	return std::string();
}

bool IsLocalPath(const std::string &path) {
	return path.find("://") == std::string::npos || StringUtil::StartsWith(path, "file:/");
}

void LocateFile(ClientContext &context, ScanFile &file) {
	if (!IsLocalPath(file.path)) {
		return;
	}
	auto &system = FileSystem::GetFileSystem(context);
	auto path = system.ExpandPath(file.path);
	if (!system.IsPathAbsolute(path)) {
		path = system.JoinPath(FileSystem::GetWorkingDirectory(), path);
	}
	if (path != file.path) {
		file.written = std::move(file.path);
		file.path = std::move(path);
	}
	if (file.immutable) {
		return;
	}
	file.local = VersionOfLocalFile(file.path);
	if (!file.local) {
		throw IOException("Cannot open file \"%s\": it is not there any more", file.Written());
	}
}

bool IsRemote(const ScanFile &file) {
	return FileSystem::IsRemoteFile(file.path);
}

bool HasRemoteFiles(const ScanSplit &split) {
	auto files = split.AllFiles();
	return std::any_of(files.begin(), files.end(), IsRemote);
}

} // namespace duckherder
