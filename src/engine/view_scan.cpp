#include "engine/view_scan.hpp"

#include "compat/names.hpp"
#include "engine/driver_names.hpp"

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/catalog/catalog_entry/view_catalog_entry.hpp"
#include "duckdb/common/serializer/deserializer.hpp"
#include "duckdb/common/serializer/serializer.hpp"
#include "duckdb/planner/binder.hpp"

namespace duckherder {

using namespace duckdb;

unique_ptr<FunctionData> ViewScanData::Copy() const {
	auto result = make_uniq<ViewScanData>();
	result->catalog = catalog;
	result->database = database;
	result->schema = schema;
	result->view = view;
	result->types = types;
	result->names = names;
	return result;
}

bool ViewScanData::Equals(const FunctionData &other_p) const {
	auto &other = other_p.Cast<ViewScanData>();
	return catalog.get() == other.catalog.get() && database == other.database && schema == other.schema &&
	       view == other.view;
}

namespace {

unique_ptr<FunctionData> Bind(ClientContext &context, TableFunctionBindInput &input, vector<LogicalType> &types,
                              vector<Identifier> &names) {
	auto data = make_uniq<ViewScanData>();
	data->catalog = Catalog::GetCatalog(context, Identifier(input.inputs[0].ToString()));
	data->database = input.inputs[1].ToString();
	data->schema = input.inputs[2].ToString();
	data->view = input.inputs[3].ToString();
	if (input.binder && input.binder->EntryRetriever().GetAtClause()) {
		throw NotImplementedException("AT reads tables of a Duckherder driver, not its view \"%s\"", data->view);
	}
	auto &view = data->catalog->GetEntry<ViewCatalogEntry>(context, Identifier(data->schema), Identifier(data->view));
	auto columns = view.GetColumnInfo();
	if (!columns) {
		throw BinderException("The driver cannot bind its view \"%s\": what it reads is not there, or has changed",
		                      data->view);
	}
	types = columns->types;
	names = columns->names;
	data->types = types;
	data->names = names;
	return data;
}

void Serialize(Serializer &serializer, const optional_ptr<FunctionData> bind_data, const BoundTableFunction &) {
	auto &data = bind_data->Cast<ViewScanData>();
	serializer.WriteProperty(100, "database", data.database);
	serializer.WriteProperty(101, "schema", data.schema);
	serializer.WriteProperty(102, "view", data.view);
	serializer.WriteProperty(103, "types", data.types);
	serializer.WriteProperty(104, "names", IdentifiersToStrings(data.names));
	// the driver expands the view, whoever calls its database what
	auto here = data.catalog && !DriverNames::Wanted() ? NameText(data.catalog->GetName()) : string();
	serializer.WriteProperty(105, "attached_as", here);
}

unique_ptr<FunctionData> Deserialize(Deserializer &deserializer, BoundTableFunction &) {
	auto data = make_uniq<ViewScanData>();
	deserializer.ReadProperty(100, "database", data->database);
	deserializer.ReadProperty(101, "schema", data->schema);
	deserializer.ReadProperty(102, "view", data->view);
	deserializer.ReadProperty(103, "types", data->types);
	data->names = StringsToIdentifiers(deserializer.ReadProperty<vector<string>>(104, "names"));
	auto here = deserializer.ReadProperty<string>(105, "attached_as");
	if (!here.empty()) {
		data->catalog = Catalog::GetCatalog(deserializer.Get<ClientContext &>(), Identifier(here));
	}
	return data;
}

void Execute(ClientContext &, TableFunctionInput &input, DataChunk &) {
	throw InvalidInputException(
	    "The view \"%s\" of a Duckherder driver can be read with DuckDB's optimizer only: PRAGMA "
	    "enable_optimizer, and 'extension' must not be among disabled_optimizers",
	    input.bind_data->Cast<ViewScanData>().view);
}

} // namespace

TableFunction ViewScanFunction() {
	auto text = LogicalType::VARCHAR;
	TableFunction function(VIEW_SCAN_NAME, {text, text, text, text}, Execute, Bind);
	function.serialize = Serialize;
	function.deserialize = Deserialize;
	function.projection_pushdown = true;
	return function;
}

} // namespace duckherder
