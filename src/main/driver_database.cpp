#include "main/driver_database.hpp"

#include "common/log.hpp"
#include "extension/load.hpp"
#include "main/process_memory.hpp"

#include "duckdb/main/config.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/parser/keyword_helper.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <unistd.h>

namespace duckherder {

using namespace duckdb;

void RunInitFile(DuckDB &database, const std::string &path) {
	if (path.empty()) {
		return;
	}
	std::ifstream file(path, std::ios::binary);
	std::stringstream sql;
	sql << file.rdbuf();
	if (!file) {
		throw IOException("Cannot read the init file \"%s\": %s", path, strerror(errno));
	}
	Connection connection(database);
	auto result = connection.Query(sql.str());
	if (result->HasError()) {
		result->ThrowError("The init file \"" + path + "\" failed: ");
	}
}

//! Command lines and the paths of databases can be read by others
static void CheckNoPassword(const std::string &lake) {
	static const std::regex password(R"(passw(or)?d\s*=|://[^/@\s]*:[^/@\s]*@)", std::regex::icase);
	if (std::regex_search(lake, password)) {
		throw InvalidInputException("--lake has a password, which others could read: leave it out, and give it by "
		                            "PGPASSWORD, by a passfile, or by CREATE SECRET in the --init file");
	}
}

void AttachLake(DuckDB &database, const std::string &lake, const std::string &data_path) {
	CheckNoPassword(lake);
	auto options = string("DATA_INLINING_ROW_LIMIT 0");
	if (!data_path.empty()) {
		options += ", DATA_PATH " + KeywordHelper::WriteQuoted(data_path, '\'');
	}
	auto sql = "ATTACH " + KeywordHelper::WriteQuoted(lake, '\'') + " AS " + LAKE_NAME + " (" + options + ")";
	auto result = Connection(database).Query(sql);
	if (result->HasError()) {
		result->ThrowError("The lake \"" + lake + "\" cannot be attached: ");
	}
}

//! Otherwise the first query that needs more than the memory would find out
static void CheckTempDirectory(const std::string &directory) {
	if (directory.empty()) {
		return;
	}
	std::error_code error;
	std::filesystem::create_directories(directory, error);
	auto name = (std::filesystem::path(directory) / "duckherder-driver-XXXXXX").string();
	auto file = mkstemp(name.data());
	if (file < 0) {
		throw IOException("Cannot write to the temporary directory \"%s\": %s", directory, strerror(errno));
	}
	close(file);
	std::filesystem::remove(name, error);
}

//! Locks do not keep a process from opening a file twice
static void CheckOtherFile(const std::string &history, const std::string &database) {
	std::error_code none;
	if (std::filesystem::equivalent(history, database, none)) {
		throw InvalidInputException("--history is the driver's database \"%s\": it needs another file", database);
	}
}

DriverDatabase OpenDriverDatabase(const DriverDatabaseOptions &options, std::shared_ptr<LocalNodes> nodes) {
	auto &resources = options.resources;
	CheckTempDirectory(resources.temp_directory);
	DBConfig config;
	config.allocator = process_memory::MakeAllocator();
	// the extensions of this project are not signed
	config.SetOptionByName("allow_unsigned_extensions", Value::BOOLEAN(true));
	if (resources.threads > 0) {
		config.SetOptionByName("threads", Value::BIGINT(resources.threads));
	}
	if (!resources.memory_limit.empty()) {
		config.SetOptionByName("memory_limit", Value(resources.memory_limit));
	}
	if (!resources.temp_directory.empty()) {
		config.SetOptionByName("temp_directory", Value(resources.temp_directory));
	}
	if (!resources.temp_limit.empty()) {
		config.SetOptionByName("max_temp_directory_size", Value(resources.temp_limit));
	}
	auto paths = make_shared_ptr<DatabaseFilePathManager>();
	config.path_manager = paths;
	DriverDatabase result;
	result.database = std::make_shared<DuckDB>(options.file.empty() ? nullptr : options.file.c_str(), &config);
	ExtensionLoader loader(*result.database->instance, "duckherder");
	result.state = LoadIntoDatabase(loader, std::move(nodes));
	if (!options.history.empty()) {
		CheckOtherFile(options.history, options.file);
		result.state->KeepHistory(std::make_unique<HistoryFile>(options.history, paths), [](const std::string &text) {
			Log::OfProcess().Write(LogLevel::ERROR, "history", text);
		});
	}
	return result;
}

} // namespace duckherder
