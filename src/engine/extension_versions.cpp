#include "engine/extension_versions.hpp"

#include "duckdb/main/extension_manager.hpp"

#include <algorithm>

namespace duckherder {

static constexpr const char *OWN_NAME = "duckherder";

std::vector<ExtensionVersion> LoadedExtensions(duckdb::DatabaseInstance &db) {
	std::vector<ExtensionVersion> result;
	auto &manager = duckdb::ExtensionManager::Get(db);
	for (auto &name : manager.GetExtensions()) {
		auto info = manager.GetExtensionInfo(name);
		if (!info || name == OWN_NAME) {
			continue;
		}
		duckdb::lock_guard<duckdb::mutex> guard(info->lock);
		auto comes_with_duckdb =
		    info->install_info && info->install_info->mode == duckdb::ExtensionInstallMode::STATICALLY_LINKED;
		if (info->is_loaded && info->install_info && !comes_with_duckdb) {
			result.push_back({name, info->install_info->version});
		}
	}
	std::sort(result.begin(), result.end(), [](auto &left, auto &right) { return left.name < right.name; });
	return result;
}

void CheckExtensions(const std::vector<ExtensionVersion> &session, const WorkerInfo &worker) {
	for (auto &ours : session) {
		for (auto &theirs : worker.extensions) {
			if (ours.name == theirs.name && ours.version != theirs.version) {
				throw duckdb::InvalidInputException(
				    "Worker %s has version %s of the DuckDB extension %s loaded, this session version %s: plans only "
				    "fit the same version. Install and load the same one on both (workers: --init), or unregister the "
				    "worker",
				    worker.address.id, theirs.version, ours.name, ours.version);
			}
		}
	}
}

} // namespace duckherder
