#pragma once

#include "plan/pipeline_task.hpp"

#include "duckdb.hpp"
#include "duckdb/common/virtual_file_system.hpp"
#include "duckdb/main/client_context_state.hpp"

#include <mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace duckherder {

//! The files of the task that runs on a connection. Kept in the connection's registered_state for the time of the task.
//! Threads of the task open files at the same time.
class TaskFileVersions : public duckdb::ClientContextState {
public:
	static void Install(duckdb::ClientContext &context, const ScanSplit &split);
	static void Remove(duckdb::ClientContext &context);
	//! After the task has read: throws if a local file that it opened was written since.
	static void CheckUnchanged(duckdb::ClientContext &context);
	//! Of the connection; null outside of tasks
	static duckdb::shared_ptr<TaskFileVersions> Of(duckdb::ClientContext &context);

	//! Right after a file was opened, whenever a task opens one of its files: a FileVersionException if it is another
	//! version than the query was planned with.
	void CheckOpened(const std::string &path);

private:
	//! Only local ones have an entry: stores compare the versions of theirs.
	std::unordered_map<std::string, ScanFile> files;
	std::mutex lock;
	std::unordered_set<std::string> opened;
};

//! The file systems of a worker. They compare the versions of a task's files, and tell versions apart where DuckDB's
//! own do not: DuckDB's caches of footers and of blocks take a file for the one they have read if its version tag is
//! the same, which has whole seconds for local files, and nothing at all for web servers that tell no version.
class WorkerFileSystem : public duckdb::VirtualFileSystem {
public:
	WorkerFileSystem();

	duckdb::string GetVersionTag(duckdb::FileHandle &handle) override;

protected:
	duckdb::unique_ptr<duckdb::FileHandle> OpenFileExtended(const duckdb::OpenFileInfo &file,
	                                                        duckdb::FileOpenFlags flags,
	                                                        duckdb::optional_ptr<duckdb::FileOpener> opener) override;
};

} // namespace duckherder
