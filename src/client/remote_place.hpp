#pragma once

#include "client/remote_catalog.hpp"

#include "duckdb/planner/logical_operator.hpp"

#include <set>
#include <string>

namespace duckherder {

//! Where an operator, or a part of a plan, can run
struct RemoteSite {
	//! Only here
	bool local = false;
	//! If not local: at this driver. Null: anywhere
	duckdb::optional_ptr<RemoteCatalog> catalog;
	//! Which that driver must have, in lower case
	std::set<std::string> functions;

	bool AtDriver() const {
		return !local && catalog;
	}
};

//! Of the operator alone
RemoteSite SiteOfOperator(duckdb::ClientContext &context, duckdb::LogicalOperator &op);
//! Of the operator and all below it. What refers to a CTE or to the duplicate-free side of a join above is local.
RemoteSite SiteOfPlan(duckdb::ClientContext &context, duckdb::LogicalOperator &op);
//! Whether any of it reads or writes at a driver; cheap
bool TouchesDriver(duckdb::LogicalOperator &op);
//! Whether any of it is at this driver
bool Touches(duckdb::ClientContext &context, duckdb::LogicalOperator &op, RemoteCatalog &driver);
//! Whether any of it calls the scalar or aggregate function with this name, in lower case
bool CallsFunction(duckdb::LogicalOperator &op, const std::string &name);
//! Whether the function takes numbers of a sequence
bool UsesSequence(const std::string &function);
//! Whether the operator itself takes numbers of a sequence that is at a driver
bool UsesDriversSequence(duckdb::LogicalOperator &op);
//! The catalog in which the operator itself changes something, null if it does not or it is no driver's
duckdb::optional_ptr<RemoteCatalog> TargetOf(duckdb::LogicalOperator &op);

} // namespace duckherder
