#include "worker/worker_database.hpp"

#include "compat/names.hpp"
#include "engine/exchange_scan.hpp"
#include "exchange/exchange_scan_function.hpp"
#include "worker/bound_scan_reader.hpp"
#include "worker/worker_file_system.hpp"

#include "duckdb/main/config.hpp"
#include "duckdb/main/database.hpp"
#include "duckdb/planner/extension_callback.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/file.h>
#include <unistd.h>

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
		auto name = (parent / DIRECTORY_TEMPLATE).string();
		if (!mkdtemp(name.data())) {
			throw IOException("Cannot make a temporary directory in \"%s\": %s", parent.string(), strerror(errno));
		}
		path = name;
		Lock();
		RemoveOrphans(parent);
	}

	~TemporaryDirectoryOwner() override {
		std::error_code error;
		std::filesystem::remove_all(path, error);
		if (lock >= 0) {
			close(lock);
		}
	}

	std::string path;

private:
	//! As long as the process lives, however it ends. The file gets its name once it is locked, so that nobody finds it
	//! without its lock.
	void Lock() {
		auto named = (std::filesystem::path(path) / LOCK_FILE).string();
		auto unnamed = (std::filesystem::path(path) / "new").string();
		lock = open(unnamed.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
		auto locked = lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0;
		if (!locked || rename(unnamed.c_str(), named.c_str()) != 0) {
			// a file system without locks: then nobody removes it but us
			std::error_code error;
			std::filesystem::remove(unnamed, error);
		}
	}

	//! What workers have left behind that were killed: a directory that we may write, with a lock file that nobody
	//! locks
	static void RemoveOrphans(const std::filesystem::path &parent) {
		std::error_code error;
		for (auto &entry : std::filesystem::directory_iterator(parent, error)) {
			if (entry.path().filename().string().rfind(DIRECTORY_PREFIX, 0) != 0) {
				continue;
			}
			auto file = open((entry.path() / LOCK_FILE).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
			if (file < 0) {
				continue;
			}
			std::error_code ignored;
			if (flock(file, LOCK_EX | LOCK_NB) == 0) {
				std::filesystem::remove_all(entry.path(), ignored);
			}
			close(file);
		}
	}

	static constexpr const char *DIRECTORY_PREFIX = "duckherder-worker-";
	static constexpr const char *DIRECTORY_TEMPLATE = "duckherder-worker-XXXXXX";
	static constexpr const char *LOCK_FILE = "lock";
	int lock = -1;
};

void SetOption(DBConfig &config, const string &name, Value value) {
	config.SetOptionByName(Identifier(name), value);
}

void Execute(Connection &connection, const string &sql, const string &what) {
	auto result = connection.Query(sql);
	if (result->HasError()) {
		result->ThrowError(what + " failed: ");
	}
}

} // namespace

std::shared_ptr<DuckDB> OpenWorkerDatabase(const WorkerDatabaseOptions &options) {
	auto directory = make_shared_ptr<TemporaryDirectoryOwner>(options.temp_directory);
	DBConfig config;
	config.file_system = make_uniq<WorkerFileSystem>();
	if (options.make_allocator) {
		config.allocator = options.make_allocator();
	}
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
	if (!options.temp_limit.empty()) {
		SetOption(config, "max_temp_directory_size", Value(options.temp_limit));
	}
	auto result = std::make_shared<DuckDB>(nullptr, &config);
	auto &instance = *result->instance;
	ExtensionCallback::Register(DBConfig::GetConfig(instance), std::move(directory));

	RegisterExchangeScanOperator(DBConfig::GetConfig(instance));
	RegisterExchangeScanFunction(instance);
	BoundScanReader::Register(instance);
	for (auto &register_functions : options.register_functions) {
		register_functions(instance);
	}

	Connection connection(*result);
	// Each task opens its files anew. A footer is taken from the cache if WorkerFileSystem says that it is of the same
	// version.
	Execute(connection, "SET GLOBAL parquet_metadata_cache = true", "Preparing the worker's database");
	return result;
}

} // namespace duckherder
