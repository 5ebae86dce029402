#include "server/list_catalog.hpp"

#include "compat/statements.hpp"
#include "wire/catalog_items.hpp"
#include "server/check_parsed.hpp"
#include "protocol/session_role.hpp"

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/catalog/catalog_entry/schema_catalog_entry.hpp"
#include "duckdb/catalog/catalog_entry/sequence_catalog_entry.hpp"
#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/catalog/catalog_entry/view_catalog_entry.hpp"
#include "duckdb/parser/parsed_data/create_sequence_info.hpp"
#include "duckdb/storage/table_storage_info.hpp"

#include <algorithm>

namespace duckherder {

using namespace duckdb;

namespace {

void DescribeTable(ClientContext &context, TableCatalogEntry &table, CatalogItem &item) {
	auto storage = table.GetStorageInfo(context);
	item.indexes.assign(storage.index_info.begin(), storage.index_info.end());
	for (auto &column : table.GetVirtualColumns()) {
		item.virtual_columns.push_back({column.first, NameText(column.second.name), column.second.type});
	}
	for (auto column : table.GetRowIdColumns()) {
		item.row_id_columns.push_back(column);
	}
	item.updates_whole_rows = !table.IsDuckTable();
}

void AddEntry(ClientContext &context, CatalogEntry &entry, std::vector<CatalogItem> &items) {
	if (entry.internal) {
		return;
	}
	if (entry.type == CatalogType::VIEW_ENTRY) {
		try {
			// clients are told its columns, as far as they may read it
			auto role = SessionRole::Of(context);
			if (role < Role::ADMIN) {
				ParsedCheck(context, role).View(entry.Cast<ViewCatalogEntry>());
			}
			entry.Cast<ViewCatalogEntry>().BindView(context);
		} catch (const std::exception &) {
			// it reads what is not there, or what is not for this client: whoever uses it is told
		}
	}
	CatalogItem item;
	item.definition = entry.GetInfo();
	if (entry.type == CatalogType::TABLE_ENTRY) {
		DescribeTable(context, entry.Cast<TableCatalogEntry>(), item);
	} else if (entry.type == CatalogType::SEQUENCE_ENTRY) {
		auto data = entry.Cast<SequenceCatalogEntry>().GetData();
		auto &definition = item.definition->Cast<CreateSequenceInfo>();
		definition.start_value = data.start_value;
		definition.usage_count = 0;
		item.counter = data.counter;
	}
	items.push_back(std::move(item));
}

} // namespace

CatalogListing ListCatalog(ClientContext &context, const std::string &database, bool knows, uint64_t known_version) {
	auto &catalog = CatalogNamed(context, database);
	CatalogListing listing;
	auto version = catalog.GetCatalogVersion(context);
	listing.has_version = version.IsValid();
	listing.version = version.IsValid() ? version.GetIndex() : 0;
	if (knows && listing.has_version && listing.version == known_version) {
		listing.unchanged = true;
		return listing;
	}
	std::vector<CatalogItem> items;
	for (auto &schema_ref : catalog.GetSchemas(context)) {
		auto &schema = schema_ref.get();
		CatalogItem item;
		item.definition = schema.GetInfo();
		item.definition->internal = schema.internal;
		items.push_back(std::move(item));
		for (auto type : {CatalogType::TABLE_ENTRY, CatalogType::SEQUENCE_ENTRY, CatalogType::TYPE_ENTRY,
		                  CatalogType::MACRO_ENTRY, CatalogType::TABLE_MACRO_ENTRY, CatalogType::INDEX_ENTRY}) {
			vector<reference<CatalogEntry>> entries;
			schema.Scan(context, type, [&](CatalogEntry &entry) { entries.push_back(entry); });
			// as they were made
			std::sort(entries.begin(), entries.end(),
			          [](const reference<CatalogEntry> &left, const reference<CatalogEntry> &right) {
				          return left.get().oid < right.get().oid;
			          });
			for (auto &entry : entries) {
				AddEntry(context, entry, items);
			}
		}
	}
	listing.items = EncodeCatalogItems(items);
	return listing;
}

std::vector<TableEstimate> EstimateRows(ClientContext &context, const std::string &database) {
	std::vector<TableEstimate> estimates;
	for (auto &schema : CatalogNamed(context, database).GetSchemas(context)) {
		schema.get().Scan(context, CatalogType::TABLE_ENTRY, [&](CatalogEntry &entry) {
			if (entry.type != CatalogType::TABLE_ENTRY || entry.internal) {
				return;
			}
			auto rows = entry.Cast<TableCatalogEntry>().GetStorageInfo(context).cardinality;
			if (rows.IsValid()) {
				estimates.push_back({NameText(schema.get().name), NameText(entry.name), rows.GetIndex()});
			}
		});
	}
	return estimates;
}

} // namespace duckherder
