#pragma once

#include "common/ids.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/operator/logical_extension_operator.hpp"
#include "duckdb/planner/operator_extension.hpp"

namespace duckherder {

//! Name under which the operator and its table function are registered in every DuckDB that runs fragments.
constexpr const char *EXCHANGE_SCAN_NAME = "duckherder_exchange_scan";

//! What an exchange scan reads: the output of a stage, or the rows that the session feeds to the task.
struct ExchangeScanSource {
	bool is_feed = false;
	StageId stage = 0;
};

struct ExchangeScanBindData : public duckdb::TableFunctionData {
	ExchangeScanSource source;
	duckdb::vector<duckdb::LogicalType> types;
	duckdb::idx_t estimated_cardinality = 0;

	duckdb::unique_ptr<duckdb::FunctionData> Copy() const override;
	bool Equals(const duckdb::FunctionData &other) const override;
};

//! Leaf of a fragment that stands where a subtree was cut off. It answers with that subtree's column bindings, so that
//! nothing above it has to be rewritten. Its physical plan is a table scan of the function EXCHANGE_SCAN_NAME.
class LogicalExchangeScan : public duckdb::LogicalExtensionOperator {
public:
	ExchangeScanSource source;
	duckdb::vector<duckdb::ColumnBinding> bindings;
	duckdb::vector<duckdb::LogicalType> return_types;

	duckdb::vector<duckdb::ColumnBinding> GetColumnBindings() override;
	void ResolveColumnBindings(duckdb::ColumnBindingResolver &resolver,
	                           duckdb::vector<duckdb::ColumnBinding> &result) override;
	duckdb::PhysicalOperator &CreatePlan(duckdb::ClientContext &context,
	                                     duckdb::PhysicalPlanGenerator &planner) override;
	duckdb::idx_t EstimateCardinality(duckdb::ClientContext &context) override;
	duckdb::string GetName() const override;
	duckdb::string GetExtensionName() const override;
	void Serialize(duckdb::Serializer &serializer) const override;
	bool SupportSerialization() const override;

protected:
	void ResolveTypes() override;
};

//! Lets fragments with exchange scans be deserialized in this database.
void RegisterExchangeScanOperator(duckdb::DBConfig &config);

} // namespace duckherder
