#include "client/remote_plan.hpp"

#include "client/remote_operators.hpp"

#include "duckdb/execution/column_binding_resolver.hpp"
#include "duckdb/execution/physical_plan_generator.hpp"

namespace duckherder {

using namespace duckdb;

LogicalRemotePlan::LogicalRemotePlan(RemoteCatalog &catalog_p, unique_ptr<LogicalOperator> plan_p,
                                     vector<ColumnBinding> bindings_p)
    : catalog(catalog_p), plan(std::move(plan_p)), bindings(std::move(bindings_p)), return_types(plan->types) {
	if (plan->has_estimated_cardinality) {
		SetEstimatedCardinality(plan->estimated_cardinality);
	}
}

void LogicalRemotePlan::Explain(RemoteRun::Explain explain) {
	run.explain = explain;
	return_types = {LogicalType::VARCHAR, LogicalType::VARCHAR};
	SetEstimatedCardinality(3);
}

vector<ColumnBinding> LogicalRemotePlan::GetColumnBindings() {
	return bindings;
}

void LogicalRemotePlan::ResolveColumnBindings(ColumnBindingResolver &resolver, vector<ColumnBinding> &result) {
	for (auto &child : children) {
		resolver.VisitOperator(*child);
	}
	result = bindings;
}

void LogicalRemotePlan::ResolveTypes() {
	types = return_types;
}

idx_t LogicalRemotePlan::EstimateCardinality(ClientContext &context) {
	return has_estimated_cardinality ? estimated_cardinality : plan->EstimateCardinality(context);
}

string LogicalRemotePlan::GetName() const {
	return "DUCKHERDER_REMOTE";
}

InsertionOrderPreservingMap<string> LogicalRemotePlan::ParamsToString() const {
	InsertionOrderPreservingMap<string> result;
	result["Driver"] = catalog.Server().location;
	return result;
}

PhysicalOperator &LogicalRemotePlan::CreatePlan(ClientContext &, PhysicalPlanGenerator &planner) {
	auto &result = planner.Make<PhysicalRemotePlan>(catalog, plan, snapshot, return_types, run, changes_catalog,
	                                                estimated_cardinality);
	for (idx_t i = 0; i < children.size(); i++) {
		auto &child = planner.CreatePlan(*children[i]);
		auto &upload = planner.Make<PhysicalUpload>(catalog, static_cast<uint32_t>(first_upload + i), child.types,
		                                            child.estimated_cardinality);
		upload.children.push_back(child);
		result.children.push_back(upload);
	}
	return result;
}

LogicalRemoteDefinition::LogicalRemoteDefinition(RemoteCatalog &catalog_p, std::vector<std::string> definitions_p,
                                                 vector<LogicalType> types_p)
    : catalog(catalog_p), definitions(std::move(definitions_p)), return_types(std::move(types_p)) {
}

void LogicalRemoteDefinition::ResolveColumnBindings(ColumnBindingResolver &, vector<ColumnBinding> &result) {
	result = GetColumnBindings();
}

void LogicalRemoteDefinition::ResolveTypes() {
	types = return_types;
}

string LogicalRemoteDefinition::GetName() const {
	return "DUCKHERDER_REMOTE_DEFINITION";
}

PhysicalOperator &LogicalRemoteDefinition::CreatePlan(ClientContext &, PhysicalPlanGenerator &planner) {
	return planner.Make<PhysicalRemoteDefinition>(catalog, definitions, types);
}

} // namespace duckherder
