#pragma once

#include "client/remote_catalog.hpp"
#include "compat/catalog.hpp"
#include "wire/catalog_items.hpp"

#include "duckdb/catalog/catalog_entry/index_catalog_entry.hpp"
#include "duckdb/catalog/catalog_entry/schema_catalog_entry.hpp"
#include "duckdb/catalog/catalog_entry/sequence_catalog_entry.hpp"
#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/catalog/catalog_entry/view_catalog_entry.hpp"
#include "duckdb/parser/parsed_data/create_index_info.hpp"
#include "duckdb/parser/parsed_data/create_sequence_info.hpp"
#include "duckdb/parser/parsed_data/create_table_info.hpp"
#include "duckdb/parser/parsed_data/create_view_info.hpp"

#include <atomic>
#include <map>
#include <mutex>

//! Entries of a RemoteCatalog. What a plan for the driver says of them (GetInfo) names the database as the driver does,
//! so that the driver finds its own ones.
namespace duckherder {

class RemoteTable : public TableWithColumns {
public:
	RemoteTable(duckdb::Catalog &catalog, duckdb::SchemaCatalogEntry &schema, duckdb::CreateTableInfo &definition,
	            CatalogItem item);

	duckdb::unique_ptr<duckdb::CreateInfo> GetInfo() const override;
	duckdb::string ToSQL() const override;
	duckdb::unique_ptr<duckdb::BaseStatistics> GetStatistics(duckdb::ClientContext &context,
	                                                         duckdb::column_t column_id) override;
	duckdb::TableFunction GetScanFunction(duckdb::ClientContext &context,
	                                      duckdb::unique_ptr<duckdb::FunctionData> &bind_data) override;
	duckdb::TableFunction GetScanFunction(duckdb::ClientContext &context,
	                                      duckdb::unique_ptr<duckdb::FunctionData> &bind_data,
	                                      const duckdb::EntryLookupInfo &lookup_info) override;
	duckdb::TableStorageInfo GetStorageInfo(duckdb::ClientContext &context) override;
	//! There is none here; DuckDB's own message would be an internal error, which ends the whole database
	duckdb::DataTable &GetStorage() override;
	duckdb::virtual_column_map_t GetVirtualColumns() const override;
	duckdb::vector<duckdb::column_t> GetRowIdColumns() const override;
	void BindUpdateConstraints(duckdb::Binder &binder, duckdb::LogicalGet &get, duckdb::LogicalProjection &proj,
	                           duckdb::LogicalUpdate &update, duckdb::ClientContext &context) override;

	RemoteCatalog &Remote() const;
	//! Keeps this entry alive
	std::shared_ptr<RemoteSnapshot> Snapshot() const;
	//! Of the transaction's; one call to the driver for all tables
	duckdb::optional_idx EstimatedRows(duckdb::ClientContext &context) const;
	//! What a scan has besides the columns
	void CopyScanColumns(CatalogItem &target) const;

private:
	const CatalogItem item;
};

//! Its query as others see it is the driver's; what DuckDB binds is a scan of it by name.
class RemoteView : public duckdb::ViewCatalogEntry {
public:
	RemoteView(duckdb::Catalog &catalog, duckdb::SchemaCatalogEntry &schema, duckdb::CreateViewInfo &definition);
	const duckdb::SelectStatement &GetQuery() override;

private:
	duckdb::unique_ptr<duckdb::SelectStatement> scan;
};

class RemoteSequence : public duckdb::SequenceCatalogEntry {
public:
	RemoteSequence(duckdb::Catalog &catalog, duckdb::SchemaCatalogEntry &schema, duckdb::CreateSequenceInfo &definition,
	               int64_t counter);
	duckdb::unique_ptr<duckdb::CreateInfo> GetInfo() const override;

	//! Its next number when somebody looked last
	std::atomic<int64_t> counter;
};

class RemoteIndex : public duckdb::IndexCatalogEntry {
public:
	RemoteIndex(duckdb::Catalog &catalog, duckdb::SchemaCatalogEntry &schema, duckdb::CreateIndexInfo &definition);
	duckdb::Identifier GetSchemaName() const override;
	duckdb::Identifier GetTableName() const override;

private:
	const duckdb::Identifier table;
};

class RemoteSchema : public duckdb::SchemaCatalogEntry {
public:
	RemoteSchema(RemoteCatalog &catalog, duckdb::CreateSchemaInfo &definition, std::weak_ptr<RemoteSnapshot> snapshot);

	//! That it belongs to
	const std::weak_ptr<RemoteSnapshot> snapshot;

	//! Of a definition in this schema; once for each, before the schema is used
	void Add(CatalogItem item);

	void Scan(duckdb::ClientContext &context, duckdb::CatalogType type,
	          const std::function<void(duckdb::CatalogEntry &)> &callback) override;
	void Scan(duckdb::CatalogType type, const std::function<void(duckdb::CatalogEntry &)> &callback) override;
	duckdb::optional_ptr<duckdb::CatalogEntry> LookupEntry(duckdb::CatalogTransaction transaction,
	                                                       const duckdb::EntryLookupInfo &lookup_info) override;

	duckdb::optional_ptr<duckdb::CatalogEntry> CreateIndex(duckdb::CatalogTransaction transaction,
	                                                       duckdb::CreateIndexInfo &info,
	                                                       duckdb::TableCatalogEntry &table) override;
	duckdb::optional_ptr<duckdb::CatalogEntry> CreateFunction(duckdb::CatalogTransaction transaction,
	                                                          duckdb::CreateFunctionInfo &info) override;
	duckdb::optional_ptr<duckdb::CatalogEntry> CreateTable(duckdb::CatalogTransaction transaction,
	                                                       duckdb::BoundCreateTableInfo &info) override;
	duckdb::optional_ptr<duckdb::CatalogEntry> CreateView(duckdb::CatalogTransaction transaction,
	                                                      duckdb::CreateViewInfo &info) override;
	duckdb::optional_ptr<duckdb::CatalogEntry> CreateSequence(duckdb::CatalogTransaction transaction,
	                                                          duckdb::CreateSequenceInfo &info) override;
	duckdb::optional_ptr<duckdb::CatalogEntry> CreateTableFunction(duckdb::CatalogTransaction transaction,
	                                                               duckdb::CreateTableFunctionInfo &info) override;
	duckdb::optional_ptr<duckdb::CatalogEntry> CreateCopyFunction(duckdb::CatalogTransaction transaction,
	                                                              duckdb::CreateCopyFunctionInfo &info) override;
	duckdb::optional_ptr<duckdb::CatalogEntry> CreatePragmaFunction(duckdb::CatalogTransaction transaction,
	                                                                duckdb::CreatePragmaFunctionInfo &info) override;
	duckdb::optional_ptr<duckdb::CatalogEntry> CreateCollation(duckdb::CatalogTransaction transaction,
	                                                           duckdb::CreateCollationInfo &info) override;
	duckdb::optional_ptr<duckdb::CatalogEntry> CreateType(duckdb::CatalogTransaction transaction,
	                                                      duckdb::CreateTypeInfo &info) override;
	void DropEntry(duckdb::ClientContext &context, duckdb::DropInfo &info) override;
	void Alter(duckdb::CatalogTransaction transaction, duckdb::AlterInfo &info) override;

private:
	//! The table as it was, which may have had other columns, or is no more; the driver is asked once
	duckdb::optional_ptr<duckdb::CatalogEntry> FindPast(duckdb::ClientContext &context, const duckdb::string &table,
	                                                    const duckdb::BoundAtClause &at);

	using EntryMap = duckdb::case_insensitive_map_t<duckdb::unique_ptr<duckdb::CatalogEntry>>;
	void RefreshCounters(duckdb::ClientContext &context, EntryMap &sequences);
	//! DuckDB's own schemas keep these kinds of entries apart, each with names of its own
	enum class Kind { TABLE, INDEX, SEQUENCE, TYPE, FUNCTION, TABLE_FUNCTION, NONE };
	static Kind KindOf(duckdb::CatalogType type);
	//! Null if there is none
	duckdb::optional_ptr<duckdb::CatalogEntry> Find(duckdb::CatalogType type, const duckdb::string &entry_name);
	//! Sends the definition, and looks for what it made; null if that is not there
	duckdb::optional_ptr<duckdb::CatalogEntry> Define(duckdb::CatalogTransaction transaction,
	                                                  duckdb::CreateInfo &definition, duckdb::CatalogType type,
	                                                  const duckdb::string &entry_name);
	[[noreturn]] void Refuse(const char *what);

	RemoteCatalog &remote;
	std::map<Kind, EntryMap> entries;
	std::mutex past_lock;
	//! By name and AT clause
	std::map<std::string, duckdb::unique_ptr<RemoteTable>> past;
};

} // namespace duckherder
