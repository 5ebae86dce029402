#include "worker/worker_file_system.hpp"

#include "engine/scan_file.hpp"

#include "duckdb/common/file_opener.hpp"
#include "duckdb/common/types/uuid.hpp"
#include "duckdb/main/client_context.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

constexpr const char *TASK_FILES_KEY = "duckherder_task_files";

void CheckVersion(const ScanFile &file) {
	auto found = VersionOfLocalFile(file.path);
	if (!found) {
		throw FileVersionException(file.path, "it is not there any more");
	}
	auto difference = DifferenceOf(*file.local, *found);
	if (!difference.empty()) {
		throw FileVersionException(file.path, difference);
	}
}

} // namespace

void TaskFileVersions::Install(ClientContext &context, const ScanSplit &split) {
	auto versions = make_shared_ptr<TaskFileVersions>();
	for (const ScanFile &file : split.AllFiles()) {
		if (file.local) {
			versions->files.emplace(file.path, file);
		}
	}
	// Insert keeps what is there.
	context.registered_state->Remove(TASK_FILES_KEY);
	if (!versions->files.empty()) {
		context.registered_state->Insert(TASK_FILES_KEY, std::move(versions));
	}
}

void TaskFileVersions::Remove(ClientContext &context) {
	context.registered_state->Remove(TASK_FILES_KEY);
}

shared_ptr<TaskFileVersions> TaskFileVersions::Of(ClientContext &context) {
	return context.registered_state->Get<TaskFileVersions>(TASK_FILES_KEY);
}

void TaskFileVersions::CheckUnchanged(ClientContext &context) {
	auto versions = Of(context);
	if (!versions) {
		return;
	}
	std::lock_guard<std::mutex> guard(versions->lock);
	for (auto &path : versions->opened) {
		auto &file = versions->files.at(path);
		auto found = VersionOfLocalFile(path);
		// A file that another one has replaced stays readable as it was for who has opened it.
		auto written_in_place = found && found->inode == file.local->inode && found->device == file.local->device;
		if (written_in_place) {
			CheckVersion(file);
		}
	}
}

void TaskFileVersions::CheckOpened(const std::string &path) {
	auto entry = files.find(path);
	if (entry == files.end()) {
		return;
	}
	CheckVersion(entry->second);
	std::lock_guard<std::mutex> guard(lock);
	opened.insert(path);
}

WorkerFileSystem::WorkerFileSystem() : VirtualFileSystem(FileSystem::CreateLocal()) {
}

string WorkerFileSystem::GetVersionTag(FileHandle &handle) {
	auto tag = VirtualFileSystem::GetVersionTag(handle);
	if (tag.empty()) {
		// Nobody can tell whether it is the file that was read before: no cache may say so.
		return "unknown version " + UUID::ToString(UUID::GenerateRandomUUID());
	}
	if (IsLocalPath(handle.path)) {
		auto version = VersionOfLocalFile(handle.path);
		tag += version ? to_string(version->inode) + " " + to_string(version->modified_ns)
		               : UUID::ToString(UUID::GenerateRandomUUID());
	}
	return tag;
}

unique_ptr<FileHandle> WorkerFileSystem::OpenFileExtended(const OpenFileInfo &file, FileOpenFlags flags,
                                                          optional_ptr<FileOpener> opener) {
	auto handle = VirtualFileSystem::OpenFileExtended(file, flags, opener);
	auto context = FileOpener::TryGetClientContext(opener);
	auto versions = context && handle ? TaskFileVersions::Of(*context) : nullptr;
	if (versions) {
		versions->CheckOpened(file.path);
	}
	return handle;
}

} // namespace duckherder
