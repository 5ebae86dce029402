#include "main/lock_down.hpp"

#include "compat/names.hpp"
#include "compat/results.hpp"
#include "engine/result_settings.hpp"
#include "extension/settings.hpp"

#include "duckdb/common/exception.hpp"
#include "duckdb/main/attached_database.hpp"
#include "duckdb/main/config.hpp"
#include "duckdb/main/database_manager.hpp"
#include "duckdb/parser/keyword_helper.hpp"

#include <filesystem>

namespace duckherder {

using namespace duckdb;

namespace {

unique_ptr<CollectedResult> Run(Connection &connection, const std::string &sql) {
	auto result = connection.Query(sql);
	if (result->HasError()) {
		result->ThrowError("The driver cannot be locked down for clients with roles: ");
	}
	return result;
}

std::string ListOf(const std::vector<std::string> &texts) {
	std::string list;
	for (auto &text : texts) {
		list += (list.empty() ? "" : ", ") + KeywordHelper::WriteQuoted(text, '\'');
	}
	return "[" + list + "]";
}

std::string Absolute(const std::string &path) {
	return FileSystem::IsRemoteFile(path) ? path : std::filesystem::absolute(path).lexically_normal().string();
}

//! Where attached lakes have the files of their tables
std::vector<std::string> LakeDirectories(Connection &connection) {
	std::vector<std::string> lakes;
	connection.context->RunFunctionInTransaction([&] {
		for (auto &database : DatabaseManager::Get(*connection.context).GetDatabases(*connection.context)) {
			if (database->GetCatalog().GetCatalogType() == "ducklake") {
				lakes.push_back(NameText(database->GetName()));
			}
		}
	});
	std::vector<std::string> directories;
	for (auto &lake : lakes) {
		auto metadata = KeywordHelper::WriteOptionallyQuoted("__ducklake_metadata_" + lake);
		auto rows = Run(connection, "SELECT value FROM " + metadata + ".ducklake_metadata WHERE key = 'data_path'");
		for (auto &row : *rows) {
			directories.push_back(row.GetValue<string>(0));
		}
	}
	return directories;
}

struct Reachable {
	std::vector<std::string> directories;
	std::vector<std::string> files;

	void Add(const std::string &path) {
		if (path.empty()) {
			return;
		}
		std::error_code none;
		auto is_file = !FileSystem::IsRemoteFile(path) && path.back() != '/' && std::filesystem::exists(path, none) &&
		               !std::filesystem::is_directory(path, none);
		(is_file ? files : directories).push_back(Absolute(path));
	}
};

void CheckOutOfReach(DatabaseInstance &database, const std::string &path) {
	if (path.empty()) {
		return;
	}
	std::error_code none;
	auto &config = DBConfig::GetConfig(database);
	for (auto &name : {Absolute(path), std::filesystem::weakly_canonical(path, none).string()}) {
		if (config.CanAccessFile(name, FileType::FILE_TYPE_REGULAR)) {
			throw InvalidInputException(
			    "The file \"%s\" is within what clients with roles may read here (--allow-path, --data-path, the "
			    "temporary directory or duckherder_shared_paths): put it elsewhere",
			    path);
		}
	}
}

//! What statements bring along, and how they are distributed
std::vector<std::string> OpenSettings(ClientContext &context) {
	std::vector<std::string> names;
	for (auto &name : ResultSettingNames()) {
		Value value;
		// not each version of DuckDB has all of them
		if (context.TryGetCurrentSetting(Identifier(name), value)) {
			names.push_back(name);
		}
	}
	for (auto &name : DistributionSettingNames()) {
		names.push_back(name);
	}
	return names;
}

} // namespace

void LockDown(DatabaseInstance &database, const LockDownOptions &options) {
	Connection connection(database);
	Reachable reachable;
	for (auto &path : options.allowed_paths) {
		reachable.Add(path);
	}
	for (auto &path : LakeDirectories(connection)) {
		reachable.Add(path);
	}
	for (auto &path : SharedPathsOf(*connection.context)) {
		reachable.Add(path);
	}
	// reads those that the node's user has stored, which is too late afterwards
	Run(connection, "FROM duckdb_secrets()");
	Run(connection, "SET GLOBAL autoinstall_known_extensions = false");
	Run(connection, "SET GLOBAL autoload_known_extensions = false");
	Run(connection, "SET GLOBAL allow_community_extensions = false");
	// the order matters: these cannot be changed once access is off
	Run(connection, "SET GLOBAL allowed_directories = " + ListOf(reachable.directories));
	Run(connection, "SET GLOBAL allowed_paths = " + ListOf(reachable.files));
	// adds the files of attached databases and the temporary directory
	Run(connection, "SET GLOBAL enable_external_access = false");
	for (auto &path : options.secret_files) {
		CheckOutOfReach(database, path);
	}
	Run(connection, "SET GLOBAL allowed_configs = " + ListOf(OpenSettings(*connection.context)));
	Run(connection, "SET GLOBAL lock_configuration = true");
}

} // namespace duckherder
