#include "worker/known_files.hpp"

#include "codec/scan_file.hpp"

#include "duckdb/common/file_opener.hpp"
#include "duckdb/main/client_context.hpp"

#include <algorithm>

namespace duckherder {

using namespace duckdb;

static constexpr const char *KNOWN_FILES_KEY = "duckherder_known_files";

void KnownFiles::Install(ClientContext &context, const ScanSplit &split) {
	auto known = make_shared_ptr<KnownFiles>();
	auto add = [&](const ScanFile &file) {
		if (file.has_version) {
			known->files.emplace(file.path, file);
		}
	};
	std::for_each(split.files.begin(), split.files.end(), add);
	add(split.first_file);
	// Insert keeps what is there
	context.registered_state->Remove(KNOWN_FILES_KEY);
	context.registered_state->Insert(KNOWN_FILES_KEY, std::move(known));
}

void KnownFiles::Remove(ClientContext &context) {
	context.registered_state->Remove(KNOWN_FILES_KEY);
}

optional_ptr<const ScanFile> KnownFiles::Find(const std::string &path) const {
	auto entry = files.find(path);
	return entry == files.end() ? nullptr : &entry->second;
}

WorkerFileSystem::WorkerFileSystem() : VirtualFileSystem(FileSystem::CreateLocal()) {
}

unique_ptr<FileHandle> WorkerFileSystem::OpenFileExtended(const OpenFileInfo &file, FileOpenFlags flags,
                                                          optional_ptr<FileOpener> opener) {
	auto context = file.extended_info ? nullptr : FileOpener::TryGetClientContext(opener);
	auto known = context ? context->registered_state->Get<KnownFiles>(KNOWN_FILES_KEY) : nullptr;
	auto found = known ? known->Find(file.path) : nullptr;
	return VirtualFileSystem::OpenFileExtended(found ? ToOpenFileInfo(*found) : file, flags, opener);
}

} // namespace duckherder
