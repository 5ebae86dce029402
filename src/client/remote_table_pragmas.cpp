#include "client/remote_table_pragmas.hpp"

#include "client/remote_catalog.hpp"

#include "duckdb/main/attached_database.hpp"
#include "duckdb/main/database_manager.hpp"
#include "duckdb/parser/keyword_helper.hpp"
#include "duckdb/parser/qualified_name.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! A statement that does nothing, for who asks for what is so already
constexpr const char *NOTHING = "SELECT true AS registered LIMIT 0";

string Quoted(const string &name) {
	return KeywordHelper::WriteOptionallyQuoted(name);
}

string FindDriver(ClientContext &context, const string &default_database) {
	vector<string> attached;
	for (auto &database : DatabaseManager::Get(context).GetDatabases(context)) {
		if (RemoteCatalog::From(database->GetCatalog())) {
			if (database->GetName() == default_database) {
				return default_database;
			}
			attached.push_back(database->GetName());
		}
	}
	if (attached.size() != 1) {
		auto several = "Several Duckherder drivers are attached (" + StringUtil::Join(attached, ", ") +
		               "): USE the database of the one that is meant";
		throw BinderException(attached.empty()
		                          ? "No Duckherder driver is attached: ATTACH 'host:port' AS dh (TYPE duckherder)"
		                          : several);
	}
	return attached[0];
}

string NameOf(const FunctionParameters &parameters, idx_t position) {
	auto &value = parameters.values[position];
	if (value.IsNull() || value.ToString().empty()) {
		throw BinderException("The name of a table is needed, not '%s'", value.ToString());
	}
	return value.ToString();
}

string Register(ClientContext &context, const FunctionParameters &parameters) {
	auto name = NameOf(parameters, 0);
	auto remote_name = NameOf(parameters, 1);
	auto default_database = DatabaseManager::GetDefaultDatabase(context);
	auto driver = FindDriver(context, default_database);
	if (driver == default_database && StringUtil::CIEquals(name, remote_name)) {
		return NOTHING;
	}
	auto remote = QualifiedName::ParseComponents(remote_name);
	string path = Quoted(driver);
	for (auto &part : remote) {
		path += "." + Quoted(part);
	}
	return "CREATE OR REPLACE TEMPORARY VIEW " + Quoted(name) + " AS FROM " + path;
}

string Unregister(ClientContext &context, const FunctionParameters &parameters) {
	auto name = NameOf(parameters, 0);
	auto view = Catalog::GetEntry(context, TEMP_CATALOG, DEFAULT_SCHEMA, EntryLookupInfo(CatalogType::VIEW_ENTRY, name),
	                              OnEntryNotFound::RETURN_NULL);
	return view && view->type == CatalogType::VIEW_ENTRY ? "DROP VIEW temp.main." + Quoted(name) : NOTHING;
}

} // namespace

void RegisterRemoteTablePragmas(ExtensionLoader &loader) {
	auto text = LogicalType::VARCHAR;
	loader.RegisterFunction(PragmaFunction::PragmaCall("duckherder_register_remote_table", Register, {text, text}));
	loader.RegisterFunction(PragmaFunction::PragmaCall("duckherder_unregister_remote_table", Unregister, {text}));
}

} // namespace duckherder
