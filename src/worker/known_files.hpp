#pragma once

#include "plan/pipeline_task.hpp"

#include "duckdb.hpp"
#include "duckdb/common/virtual_file_system.hpp"
#include "duckdb/main/client_context_state.hpp"

#include <string>
#include <unordered_map>

namespace duckherder {

//! The files of the task that runs on a connection. Kept in the connection's registered_state for the time of the task.
class KnownFiles : public duckdb::ClientContextState {
public:
	static void Install(duckdb::ClientContext &context, const ScanSplit &split);
	static void Remove(duckdb::ClientContext &context);

	//! Null if nothing more than its path is known
	duckdb::optional_ptr<const ScanFile> Find(const std::string &path) const;

private:
	std::unordered_map<std::string, ScanFile> files;
};

//! The file systems of a worker. Who opens a file by its path alone, as DuckDB does when it decodes a scan and looks at
//! the schema of its first file, is given what the task knows of it, so that the store is not asked.
class WorkerFileSystem : public duckdb::VirtualFileSystem {
public:
	WorkerFileSystem();

protected:
	duckdb::unique_ptr<duckdb::FileHandle> OpenFileExtended(const duckdb::OpenFileInfo &file,
	                                                        duckdb::FileOpenFlags flags,
	                                                        duckdb::optional_ptr<duckdb::FileOpener> opener) override;
};

} // namespace duckherder
