#pragma once

#include "client/remote_catalog.hpp"
#include "client/run_remote.hpp"

#include "duckdb/planner/operator/logical_extension_operator.hpp"

namespace duckherder {

//! A part of a plan that runs at a driver; its place in our plan, with its bindings and types. Its children make the
//! rows that it reads from us, which are sent before it starts: number i for the exchange scan with number
//! first_upload + i.
class LogicalRemotePlan : public duckdb::LogicalExtensionOperator {
public:
	//! `bindings`: what our plan calls the columns of `plan`, or of its explanation
	LogicalRemotePlan(RemoteCatalog &catalog, duckdb::unique_ptr<duckdb::LogicalOperator> plan,
	                  duckdb::vector<duckdb::ColumnBinding> bindings);

	//! The rows are those of EXPLAIN, from now on. Before types are resolved
	void Explain(RemoteRun::Explain explain);

	duckdb::vector<duckdb::ColumnBinding> GetColumnBindings() override;
	void ResolveColumnBindings(duckdb::ColumnBindingResolver &resolver,
	                           duckdb::vector<duckdb::ColumnBinding> &result) override;
	duckdb::PhysicalOperator &CreatePlan(duckdb::ClientContext &context,
	                                     duckdb::PhysicalPlanGenerator &planner) override;
	duckdb::idx_t EstimateCardinality(duckdb::ClientContext &context) override;
	duckdb::string GetName() const override;
	duckdb::InsertionOrderPreservingMap<duckdb::string> ParamsToString() const override;
	bool SupportSerialization() const override {
		return false;
	}

	RemoteCatalog &catalog;
	//! Shared with the physical operators, which outlive this
	duckdb::shared_ptr<duckdb::LogicalOperator> plan;
	//! The entries that the plan refers to
	std::shared_ptr<RemoteSnapshot> snapshot;
	uint32_t first_upload = 0;
	RemoteRun run;
	bool changes_catalog = false;

protected:
	void ResolveTypes() override;

private:
	const duckdb::vector<duckdb::ColumnBinding> bindings;
	duckdb::vector<duckdb::LogicalType> return_types;
};

//! A CREATE INDEX, an ALTER TABLE that makes one, or all that COPY FROM DATABASE makes: encoded, one after another
class LogicalRemoteDefinition : public duckdb::LogicalExtensionOperator {
public:
	LogicalRemoteDefinition(RemoteCatalog &catalog, std::vector<std::string> definitions,
	                        duckdb::vector<duckdb::LogicalType> types);

	void ResolveColumnBindings(duckdb::ColumnBindingResolver &resolver,
	                           duckdb::vector<duckdb::ColumnBinding> &result) override;
	duckdb::PhysicalOperator &CreatePlan(duckdb::ClientContext &context,
	                                     duckdb::PhysicalPlanGenerator &planner) override;
	duckdb::string GetName() const override;

protected:
	void ResolveTypes() override;

private:
	RemoteCatalog &catalog;
	const std::vector<std::string> definitions;
	const duckdb::vector<duckdb::LogicalType> return_types;
};

} // namespace duckherder
