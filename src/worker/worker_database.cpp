#include "worker/worker_database.hpp"

#include "codec/exchange_scan.hpp"
#include "exchange/exchange_scan_function.hpp"

#include "duckdb/main/config.hpp"
#include "duckdb/main/database.hpp"
#include "duckdb/planner/extension_callback.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace duckherder {

using namespace duckdb;

namespace {

//! A directory that exists as long as this object. Hung onto the database's configuration, which goes last, after the
//! buffer manager that writes there. Callbacks are what a configuration owns on behalf of others.
class TemporaryDirectoryOwner : public ExtensionCallback {
public:
	explicit TemporaryDirectoryOwner(const std::string &parent_directory) {
		auto parent =
		    parent_directory.empty() ? std::filesystem::temp_directory_path() : std::filesystem::path(parent_directory);
		std::error_code error;
		std::filesystem::create_directories(parent, error);
		auto name = (parent / "duckherder-worker-XXXXXX").string();
		if (!mkdtemp(name.data())) {
			throw IOException("Cannot make a temporary directory in \"%s\": %s", parent.string(), strerror(errno));
		}
		path = name;
	}

	~TemporaryDirectoryOwner() override {
		std::error_code error;
		std::filesystem::remove_all(path, error);
	}

	std::string path;
};

void SetOption(DBConfig &config, const string &name, Value value) {
	config.SetOptionByName(name, value);
}

void Execute(Connection &connection, const string &sql, const string &what) {
	auto result = connection.Query(sql);
	if (result->HasError()) {
		result->ThrowError(what + " failed: ");
	}
}

void RunInitFile(Connection &connection, const std::string &path) {
	std::ifstream file(path, std::ios::binary);
	std::stringstream sql;
	sql << file.rdbuf();
	if (!file) {
		throw IOException("Cannot read the init file \"%s\": %s", path, strerror(errno));
	}
	Execute(connection, sql.str(), "The init file \"" + path + "\"");
}

} // namespace

std::shared_ptr<DuckDB> OpenWorkerDatabase(const WorkerDatabaseOptions &options) {
	auto directory = make_shared_ptr<TemporaryDirectoryOwner>(options.temp_directory);
	DBConfig config;
	SetOption(config, "temp_directory", Value(directory->path));
	// who may send plans may run code; the extensions of this project are not signed
	SetOption(config, "allow_unsigned_extensions", Value::BOOLEAN(true));
	// tasks of ordered queries rely on it; a query that does without says so with its settings
	SetOption(config, "preserve_insertion_order", Value::BOOLEAN(true));
	if (options.threads > 0) {
		SetOption(config, "threads", Value::BIGINT(options.threads));
	}
	if (!options.memory_limit.empty()) {
		SetOption(config, "memory_limit", Value(options.memory_limit));
	}
	auto result = std::make_shared<DuckDB>(nullptr, &config);
	auto &instance = *result->instance;
	ExtensionCallback::Register(DBConfig::GetConfig(instance), std::move(directory));

	RegisterExchangeScanOperator(DBConfig::GetConfig(instance));
	RegisterExchangeScanFunction(instance);
	for (auto &register_functions : options.register_functions) {
		register_functions(instance);
	}

	Connection connection(*result);
	// each task opens its files anew; their footers are checked by modification time
	Execute(connection, "SET GLOBAL parquet_metadata_cache = true", "Preparing the worker's database");
	if (!options.init_file.empty()) {
		RunInitFile(connection, options.init_file);
	}
	return result;
}

} // namespace duckherder
