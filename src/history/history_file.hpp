#pragma once

#include "compat/results.hpp"
#include "history/query_recorder.hpp"

#include "duckdb.hpp"
#include "duckdb/main/database_file_path_manager.hpp"

#include <memory>
#include <string>
#include <vector>

namespace duckherder {

//! The files that a process has opened as databases: one for all of its DuckDBs keeps two of them from opening the same
//! file, which the locks of the operating system do not.
using DatabasePaths = duckdb::shared_ptr<duckdb::DatabaseFilePathManager>;

//! Records of queries in a file: a DuckDB database that nothing else is in, opened by a DuckDB of its own, so that no
//! query of the driver's users sees it. What is made on disk can be read by its owner only. Used by one thread at a
//! time.
class HistoryFile {
public:
	//! Opens the file, or makes it. One that cannot be read is moved to `path` + UNREADABLE_SUFFIX. Throws IOException
	//! if another process has it, or if nothing can be written there; InvalidInputException if it is the database of
	//! something else. Both say what to do.
	HistoryFile(std::string path, DatabasePaths paths);
	~HistoryFile();

	static constexpr const char *UNREADABLE_SUFFIX = ".unreadable";

	//! Oldest first, the last HISTORY_QUERIES_MAX. Queries that were not over are LOST.
	std::vector<QueryRecord> TakeRecords() {
		return std::move(records);
	}
	//! Why the file was moved, and where to; empty if it was not
	const std::string &Problem() const {
		return problem;
	}
	const std::string &Path() const {
		return path;
	}

	//! On disk when it returns. Throws what DuckDB throws; the file is then opened again by the next call.
	void Write(const RecordChanges &changes);

private:
	void Open();
	void Close();
	bool HasOtherTables();
	void CreateTable();
	//! A file of an earlier version lacks what records have got since
	void AddNewColumns(const std::string &table);
	duckdb::unique_ptr<CollectedResult> Execute(const std::string &sql);
	void Append(const std::vector<QueryRecord> &added);
	std::vector<QueryRecord> Read();
	//! The file's name, and what DuckDB keeps beside it
	std::vector<std::string> Names(const std::string &base) const;

	const std::string path;
	const DatabasePaths paths;
	std::vector<QueryRecord> records;
	std::string problem;
	std::unique_ptr<duckdb::DuckDB> database;
	std::unique_ptr<duckdb::Connection> connection;
};

} // namespace duckherder
