#include "engine/exchange_scan.hpp"

#include "compat/names.hpp"

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/catalog/catalog_entry/table_function_catalog_entry.hpp"
#include "duckdb/common/serializer/deserializer.hpp"
#include "duckdb/common/serializer/serializer.hpp"
#include "duckdb/execution/column_binding_resolver.hpp"
#include "duckdb/execution/operator/scan/physical_table_scan.hpp"
#include "duckdb/execution/physical_plan_generator.hpp"

namespace duckherder {

using namespace duckdb;

unique_ptr<FunctionData> ExchangeScanBindData::Copy() const {
	auto result = make_uniq<ExchangeScanBindData>();
	result->source = source;
	result->types = types;
	result->estimated_cardinality = estimated_cardinality;
	return result;
}

bool ExchangeScanBindData::Equals(const FunctionData &other_p) const {
	auto &other = other_p.Cast<ExchangeScanBindData>();
	return source.is_feed == other.source.is_feed && source.stage == other.source.stage && types == other.types;
}

vector<ColumnBinding> LogicalExchangeScan::GetColumnBindings() {
	return bindings;
}

void LogicalExchangeScan::ResolveColumnBindings(ColumnBindingResolver &, vector<ColumnBinding> &result) {
	result = bindings;
}

void LogicalExchangeScan::ResolveTypes() {
	types = return_types;
}

PhysicalOperator &LogicalExchangeScan::CreatePlan(ClientContext &context, PhysicalPlanGenerator &planner) {
	auto &entry =
	    Catalog::GetEntry<TableFunctionCatalogEntry>(context, SYSTEM_CATALOG, DEFAULT_SCHEMA, EXCHANGE_SCAN_NAME);
	BoundTableFunction function(entry.functions.GetFunctionByOffset(0));
	auto bind_data = make_uniq<ExchangeScanBindData>();
	bind_data->source = source;
	bind_data->types = return_types;
	bind_data->estimated_cardinality = estimated_cardinality;

	vector<ColumnIndex> column_ids;
	vector<string> names;
	for (idx_t i = 0; i < return_types.size(); i++) {
		column_ids.emplace_back(i);
		names.push_back("c" + to_string(i));
	}
	return planner.Make<PhysicalTableScan>(
	    return_types, std::move(function), std::move(bind_data), return_types, std::move(column_ids), vector<idx_t>(),
	    std::move(names), nullptr, estimated_cardinality, ExtraOperatorInfo(), vector<Value>(), virtual_column_map_t());
}

idx_t LogicalExchangeScan::EstimateCardinality(ClientContext &) {
	return estimated_cardinality;
}

string LogicalExchangeScan::GetName() const {
	return source.is_feed ? "FEED_SCAN" : "EXCHANGE_SCAN";
}

string LogicalExchangeScan::GetExtensionName() const {
	return EXCHANGE_SCAN_NAME;
}

bool LogicalExchangeScan::SupportSerialization() const {
	return true;
}

void LogicalExchangeScan::Serialize(Serializer &serializer) const {
	LogicalExtensionOperator::Serialize(serializer);
	serializer.WriteProperty(300, "is_feed", source.is_feed);
	serializer.WriteProperty(301, "stage", source.stage);
	serializer.WriteProperty(302, "bindings", bindings);
	serializer.WriteProperty(303, "return_types", return_types);
	serializer.WriteProperty(304, "cardinality", estimated_cardinality);
}

namespace {

class ExchangeScanOperator : public OperatorExtension {
public:
	ExchangeScanOperator() {
		Bind = [](ClientContext &, Binder &, OperatorExtensionInfo *, SQLStatement &) -> BoundStatement {
			return BoundStatement();
		};
	}

	string GetName() override {
		return EXCHANGE_SCAN_NAME;
	}

	unique_ptr<LogicalExtensionOperator> Deserialize(Deserializer &deserializer) override {
		auto result = make_uniq<LogicalExchangeScan>();
		deserializer.ReadProperty(300, "is_feed", result->source.is_feed);
		deserializer.ReadProperty(301, "stage", result->source.stage);
		deserializer.ReadProperty(302, "bindings", result->bindings);
		deserializer.ReadProperty(303, "return_types", result->return_types);
		auto cardinality = deserializer.ReadProperty<idx_t>(304, "cardinality");
		result->SetEstimatedCardinality(cardinality);
		return result;
	}
};

} // namespace

void RegisterExchangeScanOperator(DBConfig &config) {
	OperatorExtension::Register(config, make_shared_ptr<ExchangeScanOperator>());
}

} // namespace duckherder
