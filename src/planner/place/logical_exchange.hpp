#pragma once

#include "plan/stage_graph.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/operator/logical_extension_operator.hpp"

#include <optional>

namespace duckherder {

//! Marks where a plan will be cut into stages. Until the cut it hands rows through, so that the plan still runs on one
//! node. It shows `bindings` for its child's columns: columns that were appended only to be keys stay invisible.
//! A second child, if there is one, is an exchange of kind SAMPLE, whose stage runs before.
class LogicalExchange : public duckdb::LogicalExtensionOperator {
public:
	//! Exchanges are numbered in the order in which the plan is cut.
	LogicalExchange(StageId number, Exchange exchange, duckdb::unique_ptr<duckdb::LogicalOperator> child);

	//! Of the stage that feeds it
	const StageId number;
	Exchange exchange;
	duckdb::vector<duckdb::ColumnBinding> bindings;
	//! What is directly below, but for a projection of ours, is a part of an operator above, which each task runs on
	//! what it has, whatever that is.
	bool has_local_step = false;
	//! RANGE: the exchange whose stage samples the sort keys, which is below this one
	std::optional<StageId> bounds_from;

	duckdb::vector<duckdb::ColumnBinding> GetColumnBindings() override;
	void ResolveColumnBindings(duckdb::ColumnBindingResolver &resolver,
	                           duckdb::vector<duckdb::ColumnBinding> &result) override;
	duckdb::PhysicalOperator &CreatePlan(duckdb::ClientContext &context,
	                                     duckdb::PhysicalPlanGenerator &planner) override;
	duckdb::string GetName() const override;
	duckdb::InsertionOrderPreservingMap<duckdb::string> ParamsToString() const override;
	bool SupportSerialization() const override;

protected:
	void ResolveTypes() override;
};

//! Whether an operator is a LogicalExchange; the extension operators of other extensions are not.
bool IsExchange(const duckdb::LogicalOperator &op);

} // namespace duckherder
