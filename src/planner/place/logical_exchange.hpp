#pragma once

#include "plan/stage_graph.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/operator/logical_extension_operator.hpp"

namespace duckherder {

//! Marks where a plan will be cut into stages. Until the cut it hands rows through, so that the plan still runs on one
//! node. It shows `bindings` for its child's columns: columns that were appended only to be hashed stay invisible.
class LogicalExchange : public duckdb::LogicalExtensionOperator {
public:
	LogicalExchange(Exchange exchange, duckdb::unique_ptr<duckdb::LogicalOperator> child);

	Exchange exchange;
	duckdb::vector<duckdb::ColumnBinding> bindings;
	//! The exchange on the other side of a join whose rows may be broadcast instead, if there are few of them; and what
	//! was expected of that
	duckdb::optional_ptr<const LogicalExchange> adaptive_build;
	bool expects_broadcast = false;
	//! The exchange of the right side of a join that asks for no row of this one, the left side, if that brings none
	duckdb::optional_ptr<const LogicalExchange> skip_without;

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
