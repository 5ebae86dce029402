#include "client/remote_catalog.hpp"

#include "client/remote_entries.hpp"
#include "client/remote_plan.hpp"
#include "client/remote_transaction.hpp"
#include "client/rename_database.hpp"
#include "client/run_remote.hpp"
#include "compat/definitions.hpp"
#include "wire/catalog_items.hpp"

#include "duckdb/main/attached_database.hpp"
#include "duckdb/parser/parsed_data/alter_table_info.hpp"
#include "duckdb/parser/parsed_data/create_schema_info.hpp"
#include "duckdb/parser/parsed_data/drop_info.hpp"
#include "duckdb/parser/statement/create_statement.hpp"
#include "duckdb/storage/database_size.hpp"

#include <atomic>

namespace duckherder {

using namespace duckdb;

static std::atomic<uint32_t> attached_count {0};

RemoteCatalog::RemoteCatalog(AttachedDatabase &db_p, std::shared_ptr<RemoteServer> server_p)
    : Catalog(db_p), server(std::move(server_p)) {
	attached_count++;
}

RemoteCatalog::~RemoteCatalog() {
	attached_count--;
}

bool RemoteCatalog::AnyAttached() {
	return attached_count > 0;
}

optional_ptr<RemoteCatalog> RemoteCatalog::From(Catalog &catalog) {
	return dynamic_cast<RemoteCatalog *>(&catalog);
}

void RemoteCatalog::Initialize(bool) {
}

string RemoteCatalog::GetCatalogType() {
	return TYPE_NAME;
}

DefaultSchemaName RemoteCatalog::GetDefaultSchema() const {
	return DefaultSchemaNamed(server->Info().default_schema);
}

string RemoteCatalog::GetDBPath() {
	return server->location;
}

std::shared_ptr<RemoteSnapshot> RemoteCatalog::TakeSnapshot(const RemoteServer::Session &session) {
	std::shared_ptr<RemoteSnapshot> known;
	{
		std::lock_guard<std::mutex> guard(lock);
		known = latest;
	}
	auto knows = known && known->has_version && known->driver_instance == session.driver_instance;
	auto listing = server->service->ListCatalog(session.id, knows, knows ? known->version : 0);
	if (listing.unchanged && knows) {
		return known;
	}
	auto snapshot = std::make_shared<RemoteSnapshot>();
	snapshot->driver_instance = session.driver_instance;
	snapshot->has_version = listing.has_version;
	snapshot->version = listing.version;
	auto items = DecodeCatalogItems(listing.items);
	for (auto &item : items) {
		if (item.definition->type == CatalogType::SCHEMA_ENTRY && !TargetNameOf(*item.definition).nested) {
			auto &definition = item.definition->Cast<CreateSchemaInfo>();
			auto schema = make_uniq<RemoteSchema>(*this, definition, snapshot);
			schema->comment = definition.comment;
			schema->tags = definition.tags;
			schema->internal = definition.internal;
			auto name = NameText(schema->name);
			snapshot->schemas[name] = std::move(schema);
		}
	}
	for (auto &item : items) {
		auto place = TargetNameOf(*item.definition);
		if (item.definition->type == CatalogType::SCHEMA_ENTRY || place.nested) {
			// A schema in a schema, and what is there, cannot be named here: DuckDB says that this catalog has none.
			continue;
		}
		auto schema = snapshot->schemas.find(place.schema);
		if (schema == snapshot->schemas.end()) {
			throw InvalidInputException("The driver's catalog has an entry in a schema \"%s\" that it does not have",
			                            place.schema);
		}
		schema->second->Add(std::move(item));
	}
	std::lock_guard<std::mutex> guard(lock);
	latest = snapshot;
	return snapshot;
}

optional_idx RemoteCatalog::GetCatalogVersion(ClientContext &context) {
	auto snapshot = RemoteTransaction::Get(context, *this).Snapshot();
	return snapshot->has_version ? optional_idx(snapshot->version) : optional_idx();
}

void RemoteCatalog::ScanSchemas(ClientContext &context, std::function<void(SchemaCatalogEntry &)> callback) {
	auto snapshot = RemoteTransaction::Get(context, *this).Snapshot();
	for (auto &schema : snapshot->schemas) {
		callback(*schema.second);
	}
}

optional_ptr<SchemaCatalogEntry> RemoteCatalog::LookupSchema(CatalogTransaction transaction,
                                                             const EntryLookupInfo &schema_lookup,
                                                             OnEntryNotFound if_not_found) {
	auto &name = schema_lookup.GetEntryName();
	auto snapshot = RemoteTransaction::Get(transaction.GetContext(), *this).Snapshot();
	auto entry = snapshot->schemas.find(name);
	if (entry != snapshot->schemas.end()) {
		return entry->second.get();
	}
	if (if_not_found == OnEntryNotFound::THROW_EXCEPTION) {
		throw CatalogException(schema_lookup.GetErrorContext(), "Schema with name %s does not exist!", name);
	}
	return nullptr;
}

void RemoteCatalog::NameForDriver(CreateInfo &definition) const {
	SetCatalog(definition, RemoteName());
	LogicalDependencyList dependencies;
	for (auto dependency : definition.dependencies.Set()) {
		if (StringUtil::CIEquals(NameText(dependency.catalog), NameText(GetName()))) {
			dependency.catalog = Identifier(RemoteName());
		}
		dependencies.AddDependency(dependency);
	}
	definition.dependencies = std::move(dependencies);
}

void RemoteCatalog::Define(ClientContext &context, ParseInfo &definition) {
	RenameWithin(definition, *RemoteTransaction::Get(context, *this).Snapshot(), true);
	RunRemoteDefinition(context, *this, EncodeDefinition(definition));
	RemoteTransaction::Get(context, *this).ForgetSnapshot();
}

optional_ptr<CatalogEntry> RemoteCatalog::CreateSchema(CatalogTransaction transaction, CreateSchemaInfo &info) {
	auto &context = transaction.GetContext();
	auto sent = info.Copy();
	NameForDriver(*sent);
	Define(context, *sent);
	WrittenName name;
	name.name = TargetNameOf(info).schema;
	auto schema = LookupSchema(transaction, LookupOf(CatalogType::SCHEMA_ENTRY, name), OnEntryNotFound::RETURN_NULL);
	return schema.get();
}

void RemoteCatalog::DropSchema(ClientContext &context, DropInfo &info) {
	auto sent = info.Copy();
	SetCatalog(*sent, RemoteName());
	Define(context, *sent);
}

void RemoteCatalog::RenameWithin(ParseInfo &definition, const RemoteSnapshot &snapshot, bool to_remote) const {
	auto has_schema = [&](const std::string &name) { return snapshot.schemas.count(name) > 0; };
	auto ours = NameText(GetName());
	DatabaseRename(to_remote ? ours : RemoteName(), to_remote ? RemoteName() : ours, has_schema).Apply(definition);
}

namespace {

[[noreturn]] void ThrowNeedsOptimizer() {
	throw InvalidInputException("Statements that change a database of a Duckherder driver need DuckDB's optimizer, "
	                            "which hands them over: PRAGMA enable_optimizer, and 'extension' must not be among "
	                            "disabled_optimizers. Or the statement contains what does not travel");
}

} // namespace

PhysicalOperator &RemoteCatalog::PlanCreateTableAs(ClientContext &, PhysicalPlanGenerator &, LogicalCreateTable &,
                                                   PhysicalOperator &) {
	ThrowNeedsOptimizer();
}

PhysicalOperator &RemoteCatalog::PlanInsert(ClientContext &, PhysicalPlanGenerator &, LogicalInsert &,
                                            optional_ptr<PhysicalOperator>) {
	ThrowNeedsOptimizer();
}

PhysicalOperator &RemoteCatalog::PlanDelete(ClientContext &, PhysicalPlanGenerator &, LogicalDelete &,
                                            PhysicalOperator &) {
	ThrowNeedsOptimizer();
}

PhysicalOperator &RemoteCatalog::PlanUpdate(ClientContext &, PhysicalPlanGenerator &, LogicalUpdate &,
                                            PhysicalOperator &) {
	ThrowNeedsOptimizer();
}

PhysicalOperator &RemoteCatalog::PlanMergeInto(ClientContext &, PhysicalPlanGenerator &, LogicalMergeInto &,
                                               PhysicalOperator &) {
	ThrowNeedsOptimizer();
}

namespace {

unique_ptr<LogicalOperator> SendDefinition(RemoteCatalog &catalog, const ParseInfo &definition) {
	return make_uniq<LogicalRemoteDefinition>(catalog, std::vector<std::string> {EncodeDefinition(definition)},
	                                          vector<LogicalType> {LogicalType::BIGINT});
}

} // namespace

unique_ptr<LogicalOperator> RemoteCatalog::BindCreateIndex(Binder &, CreateStatement &stmt, TableCatalogEntry &table,
                                                           unique_ptr<LogicalOperator>) {
	auto definition = stmt.info->Copy();
	// as it was bound: in "ON dh.t" the name of the database came as that of a schema
	SetPlace(*definition, RemoteName(), NameText(table.schema.name));
	NameForDriver(*definition);
	return SendDefinition(*this, *definition);
}

unique_ptr<LogicalOperator> RemoteCatalog::BindAlterAddIndex(Binder &, TableCatalogEntry &, unique_ptr<LogicalOperator>,
                                                             unique_ptr<CreateIndexInfo>,
                                                             unique_ptr<AlterTableInfo> alter_info) {
	SetCatalog(*alter_info, RemoteName());
	return SendDefinition(*this, *alter_info);
}

DatabaseSize RemoteCatalog::GetDatabaseSize(ClientContext &) {
	// the driver's, which it tells those who ask it: duckherder_query('...', 'PRAGMA database_size')
	return DatabaseSize();
}

} // namespace duckherder
