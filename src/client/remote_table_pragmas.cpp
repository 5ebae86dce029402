#include "client/remote_table_pragmas.hpp"

#include "compat/catalog.hpp"
#include "compat/definitions.hpp"
#include "engine/describe_function.hpp"
#include "client/remote_catalog.hpp"

#include "duckdb/catalog/catalog_entry/view_catalog_entry.hpp"
#include "duckdb/main/attached_database.hpp"
#include "duckdb/main/database_manager.hpp"
#include "duckdb/parser/keyword_helper.hpp"
#include "duckdb/parser/parsed_data/create_pragma_function_info.hpp"
#include "duckdb/parser/parsed_data/create_view_info.hpp"
#include "duckdb/parser/parser.hpp"
#include "duckdb/parser/qualified_name.hpp"
#include "duckdb/parser/statement/create_statement.hpp"

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
			attached.push_back(NameText(database->GetName()));
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

//! The temporary view that stands for the driver's table
unique_ptr<CreateViewInfo> ViewOf(const string &name, const string &driver, const string &remote_name) {
	auto path = Quoted(driver);
	for (auto &part : QualifiedName::ParseComponents(remote_name)) {
		path += "." + Quoted(NameText(part));
	}
	auto parser = BuiltinParser();
	parser.ParseQuery("CREATE OR REPLACE TEMPORARY VIEW " + Quoted(name) + " AS FROM " + path);
	auto &create = parser.statements[0]->Cast<CreateStatement>();
	auto result = unique_ptr_cast<CreateInfo, CreateViewInfo>(std::move(create.info));
	SetPlace(*result, TEMP_CATALOG, DEFAULT_SCHEMA);
	return result;
}

//! A table that does not exist yet may be registered: whoever uses it before it does is told so then. DuckDB's views
//! may be bound later, but its statement binds them at once, so the view is put into the catalog by hand.
void Register(ClientContext &context, const FunctionParameters &parameters) {
	auto name = NameOf(parameters, 0);
	auto remote_name = NameOf(parameters, 1);
	auto default_database = DefaultDatabaseOf(context);
	auto driver = FindDriver(context, default_database);
	if (driver == default_database && StringUtil::CIEquals(name, remote_name)) {
		return;
	}
	auto info = ViewOf(name, driver, remote_name);
	auto entry = Catalog::GetCatalog(context, TEMP_CATALOG).CreateView(context, *info);
	try {
		entry->Cast<ViewCatalogEntry>().BindView(context);
	} catch (std::exception &error) {
		// there is no such table now
		if (ErrorData(error).Type() != ExceptionType::CATALOG) {
			throw;
		}
	}
}

string Unregister(ClientContext &context, const FunctionParameters &parameters) {
	auto name = NameOf(parameters, 0);
	auto view = FindEntry(context, CatalogType::VIEW_ENTRY, {TEMP_CATALOG, DEFAULT_SCHEMA, name});
	return view && view->type == CatalogType::VIEW_ENTRY ? "DROP VIEW temp.main." + Quoted(name) : NOTHING;
}

//! DuckDB's loader takes no descriptions of pragmas
void Add(ExtensionLoader &loader, PragmaFunction function, FunctionDescription description) {
	auto name = FunctionName(function);
	PragmaFunctionSet set {Identifier(name)};
	set.AddFunction(std::move(function));
	CreatePragmaFunctionInfo info(Identifier(name), std::move(set));
	info.descriptions.push_back(std::move(description));
	auto &db = loader.GetDatabaseInstance();
	auto transaction = CatalogTransaction::GetSystemTransaction(db);
	Catalog::GetSystemCatalog(db).CreatePragmaFunction(transaction, info);
}

} // namespace

void RegisterRemoteTablePragmas(ExtensionLoader &loader) {
	auto text = LogicalType::VARCHAR;
	Add(loader, PragmaFunction::PragmaCall("duckherder_register_remote_table", Register, {text, text}),
	    Describe({text, text}, {"name", "remote_table"}, "Gives a table of an attached driver a name in this session",
	             "PRAGMA duckherder_register_remote_table('t', 'schema.t')"));
	Add(loader, PragmaFunction::PragmaCall("duckherder_unregister_remote_table", Unregister, {text}),
	    Describe({text}, {"name"}, "Takes that name away again", "PRAGMA duckherder_unregister_remote_table('t')"));
}

} // namespace duckherder
