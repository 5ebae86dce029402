#include "extension/load.hpp"

#include "client/attach.hpp"
#include "codec/aggregate_state.hpp"
#include "codec/exchange_scan.hpp"
#include "codec/result_settings.hpp"
#include "driver/check_plan.hpp"
#include "driver/trace.hpp"
#include "extension/functions.hpp"
#include "extension/optimizer_hook.hpp"
#include "extension/session_state.hpp"
#include "extension/settings.hpp"

#include "duckdb/logging/log_manager.hpp"
#include "duckdb/logging/log_type.hpp"
#include "duckdb/main/extension/extension_loader.hpp"

namespace duckherder {

using namespace duckdb;

std::shared_ptr<DatabaseState> LoadIntoDatabase(ExtensionLoader &loader, std::shared_ptr<LocalNodes> nodes) {
	loader.SetDescription("Runs DuckDB queries on many machines");
	auto &instance = loader.GetDatabaseInstance();
	auto database = std::make_shared<DatabaseState>(std::move(nodes));
	RegisterSettings(instance.config);
	instance.GetLogManager().RegisterLogType(make_uniq<LogType>(TRACE_LOG_TYPE, LogLevel::LOG_INFO));
	RegisterPlanCheck(instance);
	RegisterAggregateStateFunctions(instance);
	RegisterControlFunctions(loader, database);
	RegisterViewFunctions(loader, database);
	RegisterOptimizerHook(instance.config, database);
	// rows that clients send to a driver's database
	RegisterExchangeScanOperator(instance.config);
	RegisterRemoteDatabases(
	    loader, [nodes = database->nodes](const RemoteAddress &address) { return nodes->DatabaseAt(address); });
	// what workers start with: only settings that differ from it have to travel
	Connection connection(instance);
	database->default_settings = ResultSettingsOf(*connection.context);
	return database;
}

} // namespace duckherder
