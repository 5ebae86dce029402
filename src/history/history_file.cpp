#include "history/history_file.hpp"

#include "common/limits.hpp"
#include "compat/names.hpp"
#include "compat/results.hpp"
#include "history/record_columns.hpp"

#include "duckdb/common/local_file_system.hpp"
#include "duckdb/common/virtual_file_system.hpp"
#include "duckdb/main/appender.hpp"
#include "duckdb/parser/keyword_helper.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace duckherder {

using namespace duckdb;

namespace {

constexpr const char *DATABASE = "history";
constexpr const char *TABLE = "duckherder_history";

//! Whatever DuckDB makes, the file itself and those that it has beside it for a while, only the owner may read.
class PrivateFiles : public LocalFileSystem {
public:
	unique_ptr<FileHandle> OpenFile(const string &path, FileOpenFlags flags, optional_ptr<FileOpener> opener) override {
		if (flags.OpenForWriting() && (flags.CreateFileIfNotExists() || flags.OverwriteExistingFile())) {
			auto descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
			if (descriptor >= 0) {
				close(descriptor);
			}
		}
		return LocalFileSystem::OpenFile(path, flags, opener);
	}
};

bool Exists(const std::string &path) {
	struct stat found;
	return lstat(path.c_str(), &found) == 0;
}

//! Why a file that is there cannot be opened for reading and writing at all; empty if it can
std::string WhyNoAccess(const std::string &path) {
	struct stat found;
	if (stat(path.c_str(), &found) == 0 && !S_ISREG(found.st_mode)) {
		return "it is not a file";
	}
	auto descriptor = open(path.c_str(), O_RDWR | O_CLOEXEC);
	if (descriptor < 0) {
		return strerror(errno);
	}
	struct flock lock = {};
	lock.l_type = F_WRLCK;
	lock.l_whence = SEEK_SET;
	auto locked = fcntl(descriptor, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	close(descriptor);
	return locked ? "another process has opened it (" + std::to_string(lock.l_pid) + ")" : "";
}

void Move(const std::vector<std::string> &from, const std::vector<std::string> &to) {
	for (size_t i = 0; i < from.size(); i++) {
		if (Exists(from[i])) {
			std::rename(from[i].c_str(), to[i].c_str());
		} else {
			unlink(to[i].c_str());
		}
	}
}

} // namespace

HistoryFile::HistoryFile(std::string path_p, DatabasePaths paths_p)
    : path(std::move(path_p)), paths(std::move(paths_p)) {
	constexpr auto ADVICE = "--history names another file, or is 'off'";
	auto existed = Exists(path);
	auto is_ours = true;
	try {
		Open();
		is_ours = !HasOtherTables();
		if (is_ours) {
			CreateTable();
			records = Read();
			return;
		}
	} catch (std::exception &error) {
		problem = ErrorData(error).RawMessage();
	}
	Close();
	if (!is_ours) {
		throw InvalidInputException("\"%s\" is a database with tables of its own, but the history of queries needs a "
		                            "file for itself: %s",
		                            path, ADVICE);
	}
	if (!existed) {
		throw IOException("The file for the history of queries cannot be made: %s. %s", problem, ADVICE);
	}
	auto reason = WhyNoAccess(path);
	if (!reason.empty()) {
		throw IOException("The history of queries in \"%s\" cannot be opened: %s. %s", path, reason, ADVICE);
	}
	auto aside = path + UNREADABLE_SUFFIX;
	Move(Names(path), Names(aside));
	try {
		Open();
		CreateTable();
	} catch (std::exception &error) {
		Close();
		Move(Names(aside), Names(path));
		throw IOException("The history of queries in \"%s\" cannot be read (%s), and no new one can be made: %s. %s",
		                  path, problem, ErrorData(error).RawMessage(), ADVICE);
	}
	problem = "The history of queries in \"" + path + "\" cannot be read: " + problem + "\nIt is now \"" + aside +
	          "\", and a new one begins";
}

HistoryFile::~HistoryFile() {
	Close();
}

std::vector<std::string> HistoryFile::Names(const std::string &base) const {
	return {base, base + ".wal", base + ".wal.checkpoint", base + ".wal.recovery"};
}

unique_ptr<CollectedResult> HistoryFile::Execute(const std::string &sql) {
	auto result = connection->Query(sql);
	if (result->HasError()) {
		result->ThrowError();
	}
	return result;
}

void HistoryFile::Open() {
	DBConfig config;
	config.file_system = make_uniq<VirtualFileSystem>(make_uniq<PrivateFiles>());
	config.path_manager = paths;
	config.SetOptionByName("threads", Value::BIGINT(1));
	config.SetOptionByName("memory_limit", Value(std::to_string(limits::HISTORY_MEMORY_BYTES) + "B"));
	config.SetOptionByName("temp_directory", Value(path + ".tmp"));
	// what was removed stays in the file until then
	config.SetOptionByName("checkpoint_threshold", Value("1MB"));
	config.SetOptionByName("autoinstall_known_extensions", Value::BOOLEAN(false));
	config.SetOptionByName("autoload_known_extensions", Value::BOOLEAN(false));
	database = std::make_unique<DuckDB>(nullptr, &config);
	connection = std::make_unique<Connection>(*database);
	// DuckDB frees the space of row groups without rows, so they are small
	Execute("ATTACH " + KeywordHelper::WriteQuoted(path, '\'') + " AS " + DATABASE + " (TYPE duckdb, ROW_GROUP_SIZE " +
	        std::to_string(STANDARD_VECTOR_SIZE) + ")");
}

bool HistoryFile::HasOtherTables() {
	auto others = Execute("SELECT count(*) FROM duckdb_tables() WHERE database_name = '" + string(DATABASE) +
	                      "' AND table_name <> '" + TABLE + "'");
	return others->Collection().GetRows().GetValue(0, 0).GetValue<int64_t>() > 0;
}

void HistoryFile::CreateTable() {
	auto table = StringUtil::Format("%s.%s", DATABASE, TABLE);
	std::string columns;
	for (auto &column : RecordColumns()) {
		columns += (columns.empty() ? "" : ", ") + column.first + " " + column.second.ToString();
	}
	Execute("CREATE TABLE IF NOT EXISTS " + table + " (" + columns + ")");
	AddNewColumns(table);
}

void HistoryFile::AddNewColumns(const std::string &table) {
	auto found = Execute("FROM " + table + " LIMIT 0");
	auto columns = RecordColumns();
	auto names = NameTexts(NamesOf(*found));
	for (auto &name : names) {
		if (std::none_of(columns.begin(), columns.end(), [&](auto &column) { return column.first == name; })) {
			throw SerializationException("it was written by another version of Duckherder, with a column \"%s\"", name);
		}
	}
	for (auto &column : columns) {
		// only lists have been added, or fields to what they hold: those are NULL then
		if (column.second.id() != LogicalTypeId::LIST) {
			continue;
		}
		auto name = std::find(names.begin(), names.end(), column.first);
		auto type = column.second.ToString();
		if (name == names.end()) {
			Execute(StringUtil::Format("ALTER TABLE %s ADD COLUMN %s %s", table, column.first, type));
		} else if (TypesOf(*found)[name - names.begin()] != column.second) {
			Execute(StringUtil::Format("ALTER TABLE %s ALTER COLUMN %s TYPE %s", table, column.first, type));
		}
	}
}

void HistoryFile::Close() {
	connection.reset();
	database.reset();
}

std::vector<QueryRecord> HistoryFile::Read() {
	std::string names;
	vector<LogicalType> types;
	for (auto &column : RecordColumns()) {
		names += (names.empty() ? "" : ", ") + column.first;
		types.push_back(column.second);
	}
	auto result = Execute("SELECT " + names + " FROM " + DATABASE + "." + TABLE + " ORDER BY number DESC LIMIT " +
	                      std::to_string(limits::HISTORY_QUERIES_MAX));
	if (TypesOf(*result) != types) {
		throw SerializationException("it was written by another version of Duckherder");
	}
	std::vector<QueryRecord> found;
	auto rows = result->Collection().GetRows();
	for (idx_t row = 0; row < rows.size(); row++) {
		vector<Value> values;
		for (idx_t column = 0; column < types.size(); column++) {
			values.push_back(rows.GetValue(column, row));
		}
		found.push_back(RecordOf(values));
		if (found.back().Running()) {
			found.back().state = "LOST";
			found.back().error = "The driver ended before the query did";
		}
	}
	std::reverse(found.begin(), found.end());
	return found;
}

void HistoryFile::Append(const std::vector<QueryRecord> &added) {
	Appender appender(*connection, DATABASE, "main", TABLE);
	for (auto &record : added) {
		appender.BeginRow();
		for (auto &value : ValuesOf(record)) {
			appender.Append(value);
		}
		appender.EndRow();
	}
	appender.Close();
}

void HistoryFile::Write(const RecordChanges &changes) {
	try {
		if (changes.cleared) {
			// what was removed from a table may stay readable in the file
			Close();
			for (auto &name : Names(path)) {
				unlink(name.c_str());
			}
		}
		if (!connection) {
			Open();
			CreateTable();
		}
		std::string numbers;
		auto add = [&](uint64_t number) { numbers += (numbers.empty() ? "" : ", ") + std::to_string(number); };
		for (auto number : changes.removed) {
			add(number);
		}
		for (auto &record : changes.changed) {
			add(record.number);
		}
		connection->BeginTransaction();
		auto rows = "DELETE FROM " + string(DATABASE) + "." + TABLE;
		if (changes.everything) {
			Execute(rows);
		} else if (!numbers.empty()) {
			Execute(rows + " WHERE number IN (" + numbers + ")");
		}
		Append(changes.changed);
		connection->Commit();
	} catch (...) {
		Close();
		throw;
	}
}

} // namespace duckherder
