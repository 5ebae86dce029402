#pragma once

#include "client/remote_server.hpp"
#include "compat/catalog.hpp"

#include "duckdb.hpp"
#include "duckdb/catalog/catalog.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace duckherder {

class RemoteSchema;

//! The definitions at the driver as a transaction sees them. Never changes, but for what it learns of earlier versions.
struct RemoteSnapshot {
	std::string driver_instance;
	bool has_version = false;
	uint64_t version = 0;
	duckdb::case_insensitive_map_t<duckdb::unique_ptr<RemoteSchema>> schemas;
};

//! An attached database of a driver. What DuckDB asks for is answered from the snapshot of the transaction that asks;
//! changes go to the driver as definitions. Plans over its tables go there as a whole (client/push_down).
class RemoteCatalog : public duckdb::Catalog {
public:
	static constexpr const char *TYPE_NAME = "duckherder";

	RemoteCatalog(duckdb::AttachedDatabase &db, std::shared_ptr<RemoteServer> server);
	~RemoteCatalog() override;

	//! Null if it is another kind of catalog
	static duckdb::optional_ptr<RemoteCatalog> From(duckdb::Catalog &catalog);

	//! Whether this process has one, in any of its databases
	static bool AnyAttached();

	RemoteServer &Server() const {
		return *server;
	}
	//! What the driver calls this database
	const std::string &RemoteName() const {
		return server->Info().database;
	}

	//! The definitions as the session sees them; the one that was made last if nothing has changed since
	std::shared_ptr<RemoteSnapshot> TakeSnapshot(const RemoteServer::Session &session);
	//! What a definition says of this database, and what it depends on there, by the driver's name
	void NameForDriver(duckdb::CreateInfo &definition) const;
	//! Sends a CREATE, ALTER or DROP, in which names are changed to the driver's
	void Define(duckdb::ClientContext &context, duckdb::ParseInfo &definition);
	//! What the queries and defaults within a definition call this database: the driver's name, or back to ours
	void RenameWithin(duckdb::ParseInfo &definition, const RemoteSnapshot &snapshot, bool to_remote) const;

	void Initialize(bool load_builtin) override;
	duckdb::string GetCatalogType() override;
	duckdb::optional_idx GetCatalogVersion(duckdb::ClientContext &context) override;
	DefaultSchemaName GetDefaultSchema() const override;
	bool SupportsTimeTravel() const override {
		return true;
	}

	duckdb::optional_ptr<duckdb::CatalogEntry> CreateSchema(duckdb::CatalogTransaction transaction,
	                                                        duckdb::CreateSchemaInfo &info) override;
	void ScanSchemas(duckdb::ClientContext &context,
	                 std::function<void(duckdb::SchemaCatalogEntry &)> callback) override;
	duckdb::optional_ptr<duckdb::SchemaCatalogEntry> LookupSchema(duckdb::CatalogTransaction transaction,
	                                                              const duckdb::EntryLookupInfo &schema_lookup,
	                                                              duckdb::OnEntryNotFound if_not_found) override;

	duckdb::PhysicalOperator &PlanCreateTableAs(duckdb::ClientContext &context, duckdb::PhysicalPlanGenerator &planner,
	                                            duckdb::LogicalCreateTable &op,
	                                            duckdb::PhysicalOperator &plan) override;
	duckdb::PhysicalOperator &PlanInsert(duckdb::ClientContext &context, duckdb::PhysicalPlanGenerator &planner,
	                                     duckdb::LogicalInsert &op,
	                                     duckdb::optional_ptr<duckdb::PhysicalOperator> plan) override;
	duckdb::PhysicalOperator &PlanDelete(duckdb::ClientContext &context, duckdb::PhysicalPlanGenerator &planner,
	                                     duckdb::LogicalDelete &op, duckdb::PhysicalOperator &plan) override;
	duckdb::PhysicalOperator &PlanUpdate(duckdb::ClientContext &context, duckdb::PhysicalPlanGenerator &planner,
	                                     duckdb::LogicalUpdate &op, duckdb::PhysicalOperator &plan) override;
	duckdb::PhysicalOperator &PlanMergeInto(duckdb::ClientContext &context, duckdb::PhysicalPlanGenerator &planner,
	                                        duckdb::LogicalMergeInto &op, duckdb::PhysicalOperator &plan) override;
	duckdb::unique_ptr<duckdb::LogicalOperator>
	BindCreateIndex(duckdb::Binder &binder, duckdb::CreateStatement &stmt, duckdb::TableCatalogEntry &table,
	                duckdb::unique_ptr<duckdb::LogicalOperator> plan) override;
	duckdb::unique_ptr<duckdb::LogicalOperator>
	BindAlterAddIndex(duckdb::Binder &binder, duckdb::TableCatalogEntry &table_entry,
	                  duckdb::unique_ptr<duckdb::LogicalOperator> plan,
	                  duckdb::unique_ptr<duckdb::CreateIndexInfo> create_info,
	                  duckdb::unique_ptr<duckdb::AlterTableInfo> alter_info) override;

	duckdb::DatabaseSize GetDatabaseSize(duckdb::ClientContext &context) override;
	bool InMemory() override {
		return false;
	}
	duckdb::string GetDBPath() override;

private:
	void DropSchema(duckdb::ClientContext &context, duckdb::DropInfo &info) override;

	std::shared_ptr<RemoteServer> server;
	std::mutex lock;
	std::shared_ptr<RemoteSnapshot> latest;
};

} // namespace duckherder
