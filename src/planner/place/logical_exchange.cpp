#include "planner/place/logical_exchange.hpp"

#include "duckdb/execution/column_binding_resolver.hpp"
#include "duckdb/execution/physical_plan_generator.hpp"

namespace duckherder {

using namespace duckdb;

LogicalExchange::LogicalExchange(StageId number_p, Exchange exchange_p, unique_ptr<LogicalOperator> child)
    : number(number_p), exchange(std::move(exchange_p)) {
	bindings = child->GetColumnBindings();
	if (child->has_estimated_cardinality) {
		SetEstimatedCardinality(child->estimated_cardinality);
	}
	children.push_back(std::move(child));
}

vector<ColumnBinding> LogicalExchange::GetColumnBindings() {
	return bindings;
}

void LogicalExchange::ResolveColumnBindings(ColumnBindingResolver &resolver, vector<ColumnBinding> &result) {
	resolver.VisitOperator(*children[0]);
	result = bindings;
}

void LogicalExchange::ResolveTypes() {
	types = children[0]->types;
	types.resize(bindings.size());
}

PhysicalOperator &LogicalExchange::CreatePlan(ClientContext &, PhysicalPlanGenerator &planner) {
	return planner.CreatePlan(*children[0]);
}

string LogicalExchange::GetName() const {
	return string("EXCHANGE_") + ExchangeKindName(exchange.kind);
}

InsertionOrderPreservingMap<string> LogicalExchange::ParamsToString() const {
	InsertionOrderPreservingMap<string> result;
	if (exchange.kind == ExchangeKind::HASH) {
		result["Keys"] = KeyNames(exchange);
	}
	SetParamsEstimatedCardinality(result);
	return result;
}

bool LogicalExchange::SupportSerialization() const {
	return false;
}

bool IsExchange(const LogicalOperator &op) {
	return dynamic_cast<const LogicalExchange *>(&op) != nullptr;
}

} // namespace duckherder
