#include "client/remote_entries.hpp"

#include "client/remote_scan.hpp"
#include "client/remote_transaction.hpp"
#include "compat/catalog.hpp"
#include "compat/definitions.hpp"
#include "engine/driver_names.hpp"
#include "engine/view_scan.hpp"

#include "duckdb/catalog/catalog_entry/scalar_macro_catalog_entry.hpp"
#include "duckdb/catalog/catalog_entry/table_macro_catalog_entry.hpp"
#include "duckdb/catalog/catalog_entry/type_catalog_entry.hpp"
#include "duckdb/parser/expression/constant_expression.hpp"
#include "duckdb/parser/expression/function_expression.hpp"
#include "duckdb/parser/expression/star_expression.hpp"
#include "duckdb/parser/keyword_helper.hpp"
#include "duckdb/parser/parsed_data/alter_info.hpp"
#include "duckdb/parser/parsed_data/create_macro_info.hpp"
#include "duckdb/parser/parsed_data/create_schema_info.hpp"
#include "duckdb/parser/parsed_data/create_type_info.hpp"
#include "duckdb/parser/parsed_data/drop_info.hpp"
#include "duckdb/parser/query_node/select_node.hpp"
#include "duckdb/parser/statement/select_statement.hpp"
#include "duckdb/parser/tableref/table_function_ref.hpp"
#include "duckdb/planner/expression/bound_columnref_expression.hpp"
#include "duckdb/planner/operator/logical_get.hpp"
#include "duckdb/planner/operator/logical_projection.hpp"
#include "duckdb/planner/operator/logical_update.hpp"
#include "duckdb/planner/parsed_data/bound_create_table_info.hpp"
#include "duckdb/planner/tableref/bound_at_clause.hpp"
#include "duckdb/storage/statistics/base_statistics.hpp"
#include "duckdb/storage/table_storage_info.hpp"

#include <algorithm>

namespace duckherder {

using namespace duckdb;

RemoteTable::RemoteTable(Catalog &catalog_p, SchemaCatalogEntry &schema_p, CreateTableInfo &definition,
                         CatalogItem item_p)
    : TableWithColumns(catalog_p, schema_p, definition), item(std::move(item_p)) {
}

std::shared_ptr<RemoteSnapshot> RemoteTable::Snapshot() const {
	return static_cast<RemoteSchema &>(schema).snapshot.lock();
}

RemoteCatalog &RemoteTable::Remote() const {
	return *RemoteCatalog::From(catalog);
}

unique_ptr<CreateInfo> RemoteTable::GetInfo() const {
	auto info = TableCatalogEntry::GetInfo();
	SetCatalog(*info, DriverNames::Wanted() ? Remote().RemoteName() : NameText(catalog.GetName()));
	return info;
}

string RemoteTable::ToSQL() const {
	return GetInfo()->ToString();
}

unique_ptr<BaseStatistics> RemoteTable::GetStatistics(ClientContext &, column_t) {
	return nullptr;
}

TableFunction RemoteTable::GetScanFunction(ClientContext &, unique_ptr<FunctionData> &bind_data) {
	bind_data = make_uniq<RemoteScanData>(*this);
	return RemoteScanFunction();
}

TableFunction RemoteTable::GetScanFunction(ClientContext &, unique_ptr<FunctionData> &bind_data,
                                           const EntryLookupInfo &lookup_info) {
	auto data = make_uniq<RemoteScanData>(*this);
	if (auto at = lookup_info.GetAtClause()) {
		data->at_unit = NameText(at->Unit());
		data->at_value = at->GetValue();
	}
	bind_data = std::move(data);
	return RemoteScanFunction();
}

TableStorageInfo RemoteTable::GetStorageInfo(ClientContext &context) {
	TableStorageInfo result;
	result.cardinality = EstimatedRows(context);
	for (auto &index : item.indexes) {
		result.index_info.push_back(index);
	}
	return result;
}

optional_idx RemoteTable::EstimatedRows(ClientContext &context) const {
	return RemoteTransaction::Get(context, Remote()).EstimatedRows(NameText(schema.name), NameText(name));
}

DataTable &RemoteTable::GetStorage() {
	throw NotImplementedException("The table \"%s\" is stored by a Duckherder driver, and this statement is only for "
	                              "tables of this DuckDB, or needs its optimizer: PRAGMA enable_optimizer. Text can be "
	                              "sent to the driver: CALL duckherder_execute('%s', '...')",
	                              NameText(name), NameText(catalog.GetName()));
}

void RemoteTable::CopyScanColumns(CatalogItem &target) const {
	target.virtual_columns = item.virtual_columns;
	target.row_id_columns = item.row_id_columns;
}

virtual_column_map_t RemoteTable::GetVirtualColumns() const {
	virtual_column_map_t result;
	for (auto &column : item.virtual_columns) {
		result.insert(make_pair(column.id, TableColumn(Identifier(column.name), column.type)));
	}
	return result;
}

vector<column_t> RemoteTable::GetRowIdColumns() const {
	return vector<column_t>(item.row_id_columns.begin(), item.row_id_columns.end());
}

void RemoteTable::BindUpdateConstraints(Binder &binder, LogicalGet &get, LogicalProjection &proj, LogicalUpdate &update,
                                        ClientContext &context) {
	if (!item.updates_whole_rows) {
		TableCatalogEntry::BindUpdateConstraints(binder, get, proj, update, context);
		return;
	}
	// Such a table takes new rows for old ones: all columns are needed. Its scan gives each column once.
	update.update_is_del_and_insert = true;
	for (auto &column : GetColumns().Physical()) {
		auto &updated = update.columns;
		if (std::find(updated.begin(), updated.end(), column.Physical()) != updated.end()) {
			continue;
		}
		auto &column_ids = get.GetColumnIds();
		idx_t position = 0;
		while (position < column_ids.size() && column_ids[position].GetPrimaryIndex() != column.Logical().index) {
			position++;
		}
		if (position == column_ids.size()) {
			get.AddColumnId(column.Logical().index);
		}
		update.expressions.push_back(make_uniq<BoundColumnRefExpression>(
		    column.Type(), ColumnBinding(proj.table_index, ProjectionIndex(proj.expressions.size()))));
		proj.expressions.push_back(make_uniq<BoundColumnRefExpression>(
		    column.Type(), ColumnBinding(get.table_index, ProjectionIndex(position))));
		updated.push_back(column.Physical());
	}
}

RemoteView::RemoteView(Catalog &catalog_p, SchemaCatalogEntry &schema_p, CreateViewInfo &definition)
    : ViewCatalogEntry(catalog_p, schema_p, definition) {
	vector<unique_ptr<ParsedExpression>> arguments;
	for (auto &argument : {NameText(catalog.GetName()), RemoteCatalog::From(catalog)->RemoteName(),
	                       NameText(schema.name), NameText(name)}) {
		arguments.push_back(ConstantOf(Value(argument)));
	}
	auto function = make_uniq<TableFunctionRef>();
	function->function = NewCall({SYSTEM_CATALOG, DEFAULT_SCHEMA, VIEW_SCAN_NAME}, std::move(arguments));
	auto node = make_uniq<SelectNode>();
	node->select_list.push_back(make_uniq<StarExpression>());
	node->from_table = std::move(function);
	scan = make_uniq<SelectStatement>();
	scan->node = std::move(node);
}

const SelectStatement &RemoteView::GetQuery() {
	return *scan;
}

RemoteSequence::RemoteSequence(Catalog &catalog_p, SchemaCatalogEntry &schema_p, CreateSequenceInfo &definition,
                               int64_t counter_p)
    : SequenceCatalogEntry(catalog_p, schema_p, definition), counter(counter_p) {
}

unique_ptr<CreateInfo> RemoteSequence::GetInfo() const {
	auto info = SequenceCatalogEntry::GetInfo();
	// copies of the sequence go on where it is
	info->Cast<CreateSequenceInfo>().start_value = counter;
	return info;
}

RemoteIndex::RemoteIndex(Catalog &catalog_p, SchemaCatalogEntry &schema_p, CreateIndexInfo &definition)
    : IndexCatalogEntry(catalog_p, schema_p, definition), table(definition.table) {
	// DuckDB copies the parsed ones itself, and only those travel
	for (auto &expression : definition.parsed_expressions) {
		expressions.push_back(expression->Copy());
	}
}

Identifier RemoteIndex::GetSchemaName() const {
	return schema.name;
}

Identifier RemoteIndex::GetTableName() const {
	return table;
}

RemoteSchema::RemoteSchema(RemoteCatalog &catalog_p, CreateSchemaInfo &definition,
                           std::weak_ptr<RemoteSnapshot> snapshot_p)
    : SchemaCatalogEntry(catalog_p, definition), snapshot(std::move(snapshot_p)), remote(catalog_p) {
}

RemoteSchema::Kind RemoteSchema::KindOf(CatalogType type) {
	switch (type) {
	case CatalogType::TABLE_ENTRY:
	case CatalogType::VIEW_ENTRY:
		return Kind::TABLE;
	case CatalogType::INDEX_ENTRY:
		return Kind::INDEX;
	case CatalogType::SEQUENCE_ENTRY:
		return Kind::SEQUENCE;
	case CatalogType::TYPE_ENTRY:
		return Kind::TYPE;
	case CatalogType::SCALAR_FUNCTION_ENTRY:
	case CatalogType::AGGREGATE_FUNCTION_ENTRY:
	case CatalogType::MACRO_ENTRY:
		return Kind::FUNCTION;
	case CatalogType::TABLE_FUNCTION_ENTRY:
	case CatalogType::TABLE_MACRO_ENTRY:
		return Kind::TABLE_FUNCTION;
	default:
		return Kind::NONE;
	}
}

void RemoteSchema::Add(CatalogItem item) {
	auto definition = std::move(item.definition);
	SetCatalog(*definition, NameText(catalog.GetName()));
	remote.RenameWithin(*definition, *snapshot.lock(), false);
	unique_ptr<CatalogEntry> entry;
	switch (definition->type) {
	case CatalogType::TABLE_ENTRY: {
		auto &info = definition->Cast<CreateTableInfo>();
		entry = make_uniq<RemoteTable>(catalog, *this, info, std::move(item));
		break;
	}
	case CatalogType::VIEW_ENTRY: {
		auto &info = definition->Cast<CreateViewInfo>();
		entry = make_uniq<RemoteView>(catalog, *this, info);
		break;
	}
	case CatalogType::SEQUENCE_ENTRY:
		entry = make_uniq<RemoteSequence>(catalog, *this, definition->Cast<CreateSequenceInfo>(), item.counter);
		break;
	case CatalogType::TYPE_ENTRY:
		entry = make_uniq<TypeCatalogEntry>(catalog, *this, definition->Cast<CreateTypeInfo>());
		break;
	case CatalogType::MACRO_ENTRY:
		entry = make_uniq<ScalarMacroCatalogEntry>(catalog, *this, definition->Cast<CreateMacroInfo>());
		break;
	case CatalogType::TABLE_MACRO_ENTRY: {
		auto &info = definition->Cast<CreateMacroInfo>();
		entry = make_uniq<TableMacroCatalogEntry>(catalog, *this, info);
		break;
	}
	case CatalogType::INDEX_ENTRY:
		entry = make_uniq<RemoteIndex>(catalog, *this, definition->Cast<CreateIndexInfo>());
		break;
	default:
		throw InvalidInputException("The driver's catalog has an entry of a kind that this client does not know: %s",
		                            CatalogTypeToString(definition->type));
	}
	entry->comment = definition->comment;
	entry->tags = definition->tags;
	auto &kind = entries[KindOf(definition->type)];
	auto entry_name = NameText(entry->name);
	kind[entry_name] = std::move(entry);
}

void RemoteSchema::Scan(ClientContext &context, CatalogType type, const std::function<void(CatalogEntry &)> &callback) {
	auto sequences = entries.find(Kind::SEQUENCE);
	if (type == CatalogType::SEQUENCE_ENTRY && sequences != entries.end()) {
		RefreshCounters(context, sequences->second);
	}
	Scan(type, callback);
}

void RemoteSchema::RefreshCounters(ClientContext &context, EntryMap &sequences) {
	// Numbers that were given out make no new version of the catalog. Whoever copies the database lists its sequences.
	auto &session = RemoteTransaction::Get(context, remote).Session();
	for (auto &item : DecodeCatalogItems(remote.Server().service->ListCatalog(session, false, 0).items)) {
		auto place = TargetNameOf(*item.definition);
		if (item.definition->type != CatalogType::SEQUENCE_ENTRY || place.nested || place.schema != NameText(name)) {
			continue;
		}
		auto entry = sequences.find(NameOf(item.definition->Cast<CreateSequenceInfo>()).name);
		if (entry != sequences.end()) {
			entry->second->Cast<RemoteSequence>().counter = item.counter;
		}
	}
}

void RemoteSchema::Scan(CatalogType type, const std::function<void(CatalogEntry &)> &callback) {
	auto kind = entries.find(KindOf(type));
	if (kind == entries.end()) {
		return;
	}
	// in the order in which they were made, so that those that a copy of the database needs first come first
	vector<reference<CatalogEntry>> found;
	for (auto &entry : kind->second) {
		found.push_back(*entry.second);
	}
	std::sort(found.begin(), found.end(),
	          [](const reference<CatalogEntry> &left, const reference<CatalogEntry> &right) {
		          return left.get().oid < right.get().oid;
	          });
	for (auto &entry : found) {
		callback(entry);
	}
}

namespace {

//! Without it nextval would run here, which is an internal error
bool HandsOver(ClientContext &context) {
	return HasOptimizer(context) && !IsDisabledOptimizer(context, OptimizerType::EXTENSION);
}

} // namespace

optional_ptr<CatalogEntry> RemoteSchema::LookupEntry(CatalogTransaction transaction,
                                                     const EntryLookupInfo &lookup_info) {
	if (KindOf(lookup_info.GetCatalogType()) == Kind::SEQUENCE && transaction.context &&
	    !HandsOver(*transaction.context)) {
		throw InvalidInputException("Sequences of a Duckherder driver need DuckDB's optimizer, which hands the query "
		                            "over to the driver: PRAGMA "
		                            "enable_optimizer, and 'extension' must not be among disabled_optimizers");
	}
	auto at = lookup_info.GetAtClause();
	if (at && lookup_info.GetCatalogType() == CatalogType::TABLE_ENTRY && transaction.context) {
		return FindPast(*transaction.context, lookup_info.GetEntryName(), *at);
	}
	return Find(lookup_info.GetCatalogType(), lookup_info.GetEntryName());
}

optional_ptr<CatalogEntry> RemoteSchema::FindPast(ClientContext &context, const string &table,
                                                  const BoundAtClause &at) {
	auto text = " AT (" + at.Unit() + " => " + at.GetValue().ToSQLString() + ")";
	auto key = table + text;
	{
		std::lock_guard<std::mutex> guard(past_lock);
		auto known = past.find(key);
		if (known != past.end()) {
			return known->second.get();
		}
	}
	// without the lock, as it asks the driver
	auto &session = RemoteTransaction::Get(context, remote).Session();
	auto sql = "FROM " + KeywordHelper::WriteOptionallyQuoted(remote.RemoteName()) + "." +
	           KeywordHelper::WriteOptionallyQuoted(NameText(name)) + "." + KeywordHelper::WriteOptionallyQuoted(table);
	auto shape = remote.Server().service->Describe(session, sql + text);
	auto definition = NewTable({NameText(catalog.GetName()), NameText(name), table});
	for (idx_t i = 0; i < shape.types.size(); i++) {
		definition.columns.AddColumn(ColumnDefinition(Identifier(shape.names[i]), shape.types[i]));
	}
	CatalogItem item;
	auto present = Find(CatalogType::TABLE_ENTRY, table);
	if (present && present->type == CatalogType::TABLE_ENTRY) {
		present->Cast<RemoteTable>().CopyScanColumns(item);
	}
	auto made = make_uniq<RemoteTable>(catalog, *this, definition, std::move(item));
	std::lock_guard<std::mutex> guard(past_lock);
	// the first one stays, if another connection has asked at the same time
	return past.try_emplace(key, std::move(made)).first->second.get();
}

optional_ptr<CatalogEntry> RemoteSchema::Find(CatalogType type, const string &entry_name) {
	auto kind = entries.find(KindOf(type));
	if (kind == entries.end()) {
		return nullptr;
	}
	auto entry = kind->second.find(entry_name);
	return entry == kind->second.end() ? nullptr : entry->second.get();
}

optional_ptr<CatalogEntry> RemoteSchema::Define(CatalogTransaction transaction, CreateInfo &definition,
                                                CatalogType type, const string &entry_name) {
	auto &context = transaction.GetContext();
	auto sent = definition.Copy();
	remote.NameForDriver(*sent);
	remote.Define(context, *sent);
	auto snapshot = RemoteTransaction::Get(context, remote).Snapshot();
	auto schema = snapshot->schemas.find(NameText(name));
	if (schema == snapshot->schemas.end()) {
		return nullptr;
	}
	return schema->second->Find(type, entry_name);
}

optional_ptr<CatalogEntry> RemoteSchema::CreateIndex(CatalogTransaction transaction, CreateIndexInfo &info,
                                                     TableCatalogEntry &) {
	return Define(transaction, info, CatalogType::INDEX_ENTRY, NameOf(info).name);
}

optional_ptr<CatalogEntry> RemoteSchema::CreateFunction(CatalogTransaction transaction, CreateFunctionInfo &info) {
	if (info.type != CatalogType::MACRO_ENTRY && info.type != CatalogType::TABLE_MACRO_ENTRY) {
		Refuse("functions other than macros");
	}
	return Define(transaction, info, info.type, NameOf(info).name);
}

optional_ptr<CatalogEntry> RemoteSchema::CreateTable(CatalogTransaction transaction, BoundCreateTableInfo &info) {
	auto &base = info.base->Cast<CreateTableInfo>();
	return Define(transaction, base, CatalogType::TABLE_ENTRY, NameOf(base).name);
}

optional_ptr<CatalogEntry> RemoteSchema::CreateView(CatalogTransaction transaction, CreateViewInfo &info) {
	return Define(transaction, info, CatalogType::VIEW_ENTRY, NameOf(info).name);
}

optional_ptr<CatalogEntry> RemoteSchema::CreateSequence(CatalogTransaction transaction, CreateSequenceInfo &info) {
	return Define(transaction, info, CatalogType::SEQUENCE_ENTRY, NameOf(info).name);
}

optional_ptr<CatalogEntry> RemoteSchema::CreateType(CatalogTransaction transaction, CreateTypeInfo &info) {
	return Define(transaction, info, CatalogType::TYPE_ENTRY, NameOf(info).name);
}

void RemoteSchema::Refuse(const char *what) {
	throw NotImplementedException("The database \"%s\" of a Duckherder driver cannot take %s",
	                              NameText(catalog.GetName()), what);
}

optional_ptr<CatalogEntry> RemoteSchema::CreateTableFunction(CatalogTransaction, CreateTableFunctionInfo &) {
	Refuse("table functions other than macros");
}

optional_ptr<CatalogEntry> RemoteSchema::CreateCopyFunction(CatalogTransaction, CreateCopyFunctionInfo &) {
	Refuse("copy functions");
}

optional_ptr<CatalogEntry> RemoteSchema::CreatePragmaFunction(CatalogTransaction, CreatePragmaFunctionInfo &) {
	Refuse("pragma functions");
}

optional_ptr<CatalogEntry> RemoteSchema::CreateCollation(CatalogTransaction, CreateCollationInfo &) {
	Refuse("collations");
}

void RemoteSchema::DropEntry(ClientContext &context, DropInfo &info) {
	auto sent = info.Copy();
	SetCatalog(*sent, remote.RemoteName());
	remote.Define(context, *sent);
}

void RemoteSchema::Alter(CatalogTransaction transaction, AlterInfo &info) {
	auto sent = info.Copy();
	SetCatalog(*sent, remote.RemoteName());
	remote.Define(transaction.GetContext(), *sent);
}

} // namespace duckherder
