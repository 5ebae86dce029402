#pragma once

#include "compat/statements.hpp"

#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/main/client_config.hpp"
#include "duckdb/main/config.hpp"
#include "duckdb/main/settings.hpp"
#include "duckdb/planner/tableref/bound_at_clause.hpp"

#include <string>

//! Catalogs: those of ours, of which 2.0 wants other types, and how entries are looked up there and in others.

namespace duckherder {

#if DUCKHERDER_DUCKDB_MAJOR < 2

//! What a catalog calls its default schema
using DefaultSchemaName = duckdb::string;

inline DefaultSchemaName DefaultSchemaNamed(const std::string &name) {
	return name;
}

//! A table of a catalog of ours
using TableWithColumns = duckdb::TableCatalogEntry;

//! The name must live as long as the result
inline duckdb::EntryLookupInfo LookupOf(duckdb::CatalogType type, const WrittenName &name,
                                        duckdb::optional_ptr<duckdb::BoundAtClause> at = nullptr) {
	return duckdb::EntryLookupInfo(type, name.name, at, duckdb::QueryErrorContext());
}

//! The entry that LookupOf was made for, with the same name. Throws if there is none.
inline duckdb::CatalogEntry &EntryOf(duckdb::ClientContext &context, const WrittenName &name,
                                     const duckdb::EntryLookupInfo &lookup) {
	return duckdb::Catalog::GetEntry(context, name.catalog, name.schema, lookup);
}

//! Null if there is none
inline duckdb::optional_ptr<duckdb::CatalogEntry> FindEntry(duckdb::ClientContext &context, duckdb::CatalogType type,
                                                            const WrittenName &name) {
	return duckdb::Catalog::GetEntry(context, name.catalog, name.schema, LookupOf(type, name),
	                                 duckdb::OnEntryNotFound::RETURN_NULL);
}

//! Empty if the connection has none
inline std::string DefaultDatabaseOf(duckdb::ClientContext &context) {
	return duckdb::DatabaseManager::GetDefaultDatabase(context);
}

//! PRAGMA enable_optimizer
inline bool HasOptimizer(duckdb::ClientContext &context) {
	return duckdb::ClientConfig::GetConfig(context).enable_optimizer;
}

//! Whether an optimizer is among disabled_optimizers
inline bool IsDisabledOptimizer(duckdb::ClientContext &context, duckdb::OptimizerType type) {
	return duckdb::DBConfig::GetConfig(context).options.disabled_optimizers.count(type) > 0;
}

#else

using DefaultSchemaName = duckdb::optional<duckdb::Identifier>;

inline DefaultSchemaName DefaultSchemaNamed(const std::string &name) {
	return name.empty() ? DefaultSchemaName() : DefaultSchemaName(duckdb::Identifier(name));
}

//! 2.0 lets each catalog keep the columns of its tables
class TableWithColumns : public duckdb::TableCatalogEntry {
public:
	TableWithColumns(duckdb::Catalog &catalog, duckdb::SchemaCatalogEntry &schema, duckdb::CreateTableInfo &definition)
	    : TableCatalogEntry(catalog, schema, definition), columns(std::move(definition.columns)) {
	}

	const duckdb::ColumnList &GetColumns() const override {
		return columns;
	}

private:
	const duckdb::ColumnList columns;
};

inline duckdb::EntryLookupInfo LookupOf(duckdb::CatalogType type, const WrittenName &name,
                                        duckdb::optional_ptr<duckdb::BoundAtClause> at = nullptr) {
	duckdb::QualifiedName qualified(duckdb::Identifier(name.catalog), duckdb::Identifier(name.schema),
	                                duckdb::Identifier(name.name));
	return duckdb::EntryLookupInfo(type, std::move(qualified), at, duckdb::QueryErrorContext());
}

inline duckdb::CatalogEntry &EntryOf(duckdb::ClientContext &context, const WrittenName &,
                                     const duckdb::EntryLookupInfo &lookup) {
	return duckdb::Catalog::GetEntry(context, lookup);
}

inline duckdb::optional_ptr<duckdb::CatalogEntry> FindEntry(duckdb::ClientContext &context, duckdb::CatalogType type,
                                                            const WrittenName &name) {
	return duckdb::Catalog::GetEntry(context, LookupOf(type, name), duckdb::OnEntryNotFound::RETURN_NULL);
}

inline std::string DefaultDatabaseOf(duckdb::ClientContext &context) {
	return NameText(duckdb::DatabaseManager::TryGetDefaultDatabase(context));
}

inline bool HasOptimizer(duckdb::ClientContext &context) {
	return duckdb::Settings::Get<duckdb::EnableOptimizerSetting>(context);
}

inline bool IsDisabledOptimizer(duckdb::ClientContext &context, duckdb::OptimizerType type) {
	return duckdb::DBConfig::GetConfig(context).IsOptimizerDisabled(type);
}

#endif

} // namespace duckherder
