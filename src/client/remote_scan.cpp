#include "client/remote_scan.hpp"

#include "client/remote_transaction.hpp"
#include "client/run_remote.hpp"
#include "compat/catalog.hpp"
#include "compat/functions.hpp"
#include "compat/shown_filters.hpp"
#include "engine/driver_names.hpp"

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/common/serializer/deserializer.hpp"
#include "duckdb/common/serializer/serializer.hpp"
#include "duckdb/planner/operator/logical_get.hpp"
#include "duckdb/planner/tableref/bound_at_clause.hpp"

namespace duckherder {

using namespace duckdb;

RemoteScanData::RemoteScanData(RemoteTable &table_p) : table(table_p), snapshot(table_p.Snapshot()) {
}

unique_ptr<FunctionData> RemoteScanData::Copy() const {
	auto result = make_uniq<RemoteScanData>(table);
	result->at_unit = at_unit;
	result->at_value = at_value;
	return result;
}

bool RemoteScanData::Equals(const FunctionData &other_p) const {
	auto &other = other_p.Cast<RemoteScanData>();
	return &table == &other.table && at_unit == other.at_unit && at_value == other.at_value;
}

namespace {

void Serialize(Serializer &serializer, const optional_ptr<FunctionData> bind_data, const BoundTableFunction &) {
	auto &data = bind_data->Cast<RemoteScanData>();
	auto &catalog = data.table.Remote();
	serializer.WriteProperty(100, "database",
	                         DriverNames::Wanted() ? catalog.RemoteName() : NameText(catalog.GetName()));
	serializer.WriteProperty(101, "schema", NameText(data.table.schema.name));
	serializer.WriteProperty(102, "table", NameText(data.table.name));
	serializer.WriteProperty(103, "at_unit", data.at_unit);
	serializer.WriteProperty(104, "at_value", data.at_value);
	vector<LogicalType> types;
	for (auto &column : data.table.GetColumns().Logical()) {
		types.push_back(column.Type());
	}
	serializer.WriteProperty(105, "types", types);
}

[[noreturn]] void ThrowAltered(const WrittenName &table) {
	throw TransactionException("The table \"%s.%s\" was altered while the statement was planned", table.schema,
	                           table.name);
}

//! At the driver, or in a copy of the plan here
unique_ptr<FunctionData> Deserialize(Deserializer &deserializer, BoundTableFunction &function) {
	WrittenName name;
	name.catalog = deserializer.ReadProperty<string>(100, "database");
	name.schema = deserializer.ReadProperty<string>(101, "schema");
	name.name = deserializer.ReadProperty<string>(102, "table");
	auto at_unit = deserializer.ReadProperty<string>(103, "at_unit");
	auto at_value = deserializer.ReadProperty<Value>(104, "at_value");
	auto types = deserializer.ReadProperty<vector<LogicalType>>(105, "types");
	auto &context = deserializer.Get<ClientContext &>();

	BoundAtClause at(Identifier(at_unit), at_value);
	auto lookup = LookupOf(CatalogType::TABLE_ENTRY, name, at_unit.empty() ? nullptr : &at);
	auto &entry = EntryOf(context, name, lookup);
	if (entry.type != CatalogType::TABLE_ENTRY) {
		throw CatalogException("\"%s.%s\" is not a table any more", name.schema, name.name);
	}
	auto &table = entry.Cast<TableCatalogEntry>();
	idx_t column = 0;
	for (auto &definition : table.GetColumns().Logical()) {
		if (column >= types.size() || definition.Type() != types[column]) {
			ThrowAltered(name);
		}
		column++;
	}
	if (column != types.size()) {
		ThrowAltered(name);
	}
	unique_ptr<FunctionData> bind_data;
	function = BoundTableFunction(table.GetScanFunction(context, bind_data, lookup));
	return bind_data;
}

struct ScanState : public GlobalTableFunctionState {
	ScanState(RemoteCatalog &catalog, ClientContext &context, const std::shared_ptr<ChunkSource> &source)
	    : rows(catalog.Server(), context, RemoteTransaction::Get(context, catalog).Session(), source) {
	}
	idx_t MaxThreads() const override {
		return rows.MaxReaders();
	}

	RemoteServer::Rows rows;
};

struct ScanReaderState : public LocalTableFunctionState {
	explicit ScanReaderState(RemoteServer::Rows &rows) : reader(rows.OpenReader()) {
	}

	const std::unique_ptr<ChunkReader> reader;
};

unique_ptr<GlobalTableFunctionState> InitGlobal(ClientContext &context, TableFunctionInitInput &input) {
	auto &data = input.bind_data->Cast<RemoteScanData>();
	vector<LogicalType> types;
	vector<Identifier> names;
	for (auto &column : data.table.GetColumns().Logical()) {
		types.push_back(column.Type());
		names.push_back(column.Name());
	}
	LogicalGet get(TableIndex(0), BoundTableFunction(RemoteScanFunction()), data.Copy(), types, names,
	               data.table.GetVirtualColumns());
	get.SetColumnIds(vector<ColumnIndex>(input.column_indexes));
	if (input.filters) {
		ForEachFilter(*input.filters, [&](idx_t position, TableFilter &filter) {
			if (auto needed = NeededPartOf(filter)) {
				PushFilter(get, position, std::move(needed));
			}
		});
	}
	get.ResolveOperatorTypes();
	auto &catalog = data.table.Remote();
	auto source = RunRemotePlan(context, catalog, EncodeForDriver(context, get), get.types, {true, {}});
	return make_uniq<ScanState>(catalog, context, source);
}

unique_ptr<LocalTableFunctionState> InitLocal(ExecutionContext &, TableFunctionInitInput &,
                                              GlobalTableFunctionState *global_state) {
	return make_uniq<ScanReaderState>(global_state->Cast<ScanState>().rows);
}

void Scan(ClientContext &, TableFunctionInput &input, DataChunk &output) {
	input.local_state->Cast<ScanReaderState>().reader->Next(output);
}

OperatorPartitionData PartitionData(ClientContext &, TableFunctionGetPartitionInput &input) {
	return OperatorPartitionData(input.local_state->Cast<ScanReaderState>().reader->BatchIndex());
}

unique_ptr<NodeStatistics> Cardinality(ClientContext &context, const FunctionData *bind_data) {
	auto rows = bind_data->Cast<RemoteScanData>().table.EstimatedRows(context);
	return rows.IsValid() ? make_uniq<NodeStatistics>(rows.GetIndex()) : nullptr;
}

TableCatalogEntry &ScannedTable(const FunctionData &bind_data) {
	return bind_data.Cast<RemoteScanData>().table;
}

virtual_column_map_t VirtualColumns(ClientContext &, optional_ptr<FunctionData> bind_data) {
	return bind_data->Cast<RemoteScanData>().table.GetVirtualColumns();
}

vector<column_t> RowIdColumns(ClientContext &, optional_ptr<FunctionData> bind_data) {
	return bind_data->Cast<RemoteScanData>().table.GetRowIdColumns();
}

InsertionOrderPreservingMap<string> ToText(TableFunctionToStringInput &input) {
	auto &table = input.bind_data->Cast<RemoteScanData>().table;
	InsertionOrderPreservingMap<string> result;
	result["Table"] = table.catalog.GetName() + "." + table.schema.name + "." + table.name;
	return result;
}

} // namespace

TableFunction RemoteScanFunction() {
	TableFunction function(REMOTE_SCAN_NAME, {}, Scan, nullptr, InitGlobal, InitLocal);
	function.serialize = Serialize;
	function.deserialize = Deserialize;
	function.cardinality = Cardinality;
	function.get_partition_data = PartitionData;
	SetScannedTable<ScannedTable>(function);
	function.get_virtual_columns = VirtualColumns;
	function.get_row_id_columns = RowIdColumns;
	function.to_string = ToText;
	function.projection_pushdown = true;
	// the driver's scan filters; the filters come to us with the plan
	function.filter_pushdown = true;
	return function;
}

} // namespace duckherder
