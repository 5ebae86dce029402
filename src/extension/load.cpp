#include "extension/load.hpp"

#include "compat/functions.hpp"
#include "client/attach.hpp"
#include "engine/aggregate_state.hpp"
#include "engine/exchange_scan.hpp"
#include "server/check_plan.hpp"
#include "coordinator/trace.hpp"
#include "extension/functions.hpp"
#include "extension/optimizer_hook.hpp"
#include "extension/session_state.hpp"
#include "extension/settings.hpp"
#include "engine/internal_query.hpp"

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/catalog/catalog_entry/scalar_function_catalog_entry.hpp"
#include "duckdb/catalog/catalog_entry/schema_catalog_entry.hpp"
#include "duckdb/logging/log_manager.hpp"
#include "duckdb/logging/log_type.hpp"
#include "duckdb/main/extension/extension_loader.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! json_serialize_plan(…, optimize := true) shows DuckDB's plan of a query, which we must not make another one of
void StayOutOfShownPlans(DatabaseInstance &db) {
	auto entry = Catalog::GetSystemCatalog(db)
	                 .GetSchema(CatalogTransaction::GetSystemTransaction(db), DEFAULT_SCHEMA)
	                 .GetEntry(CatalogTransaction::GetSystemTransaction(db), CatalogType::SCALAR_FUNCTION_ENTRY,
	                           "json_serialize_plan");
	if (!entry) {
		return;
	}
	ChangeOverloads(entry->Cast<ScalarFunctionCatalogEntry>().functions, [](ScalarFunction &function) {
		function.SetFunctionCallback(
		    [serialize = function.GetFunctionCallback()](DataChunk &arguments, ExpressionState &state, Vector &result) {
			    InternalQuery guard;
			    serialize(arguments, state, result);
		    });
	});
}

} // namespace

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
	RegisterPageFunctions(loader, database);
	RegisterServeFunctions(loader, database);
	RegisterOptimizerHook(instance.config, database);
	StayOutOfShownPlans(instance);
	// rows that clients send to a driver's database
	RegisterExchangeScanOperator(instance.config);
	RegisterRemoteDatabases(
	    loader, [nodes = database->nodes](const RemoteAddress &address) { return nodes->DatabaseAt(address); });
	return database;
}

} // namespace duckherder
