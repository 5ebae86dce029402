#pragma once

#include "protocol/role.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/logical_operator.hpp"

#include <set>
#include <string>

namespace duckherder {

//! Throw PermissionException, which says what is not allowed, unless the role may run the plan: by lists of operators,
//! functions and databases that are allowed.

//! A plan as the binder made it, of any client's statement: also what came out of views, macros and replacements. Files
//! are those that the driver's DuckDB may open.
void CheckBoundPlan(duckdb::ClientContext &context, duckdb::LogicalOperator &plan, Role role);
//! A plan that a client sent, before it is completed: it may hold what clients push down, and no files
void CheckSentPlan(duckdb::ClientContext &context, duckdb::LogicalOperator &plan, Role role);
//! The name of a function in the bytes of a plan that a client sent, before it is looked up and bound. `bound` as in
//! CheckedDeserializer: the name of an expression that is not bound may be a macro's, which is walked later.
void CheckSentFunction(const std::string &name, bool bound, Role role);

//! The databases that the plan changes, in which tables, sequences and the rest of the catalog are
std::set<std::string> DatabasesWrittenBy(duckdb::ClientContext &context, duckdb::LogicalOperator &plan);

//! From now on each statement of the instance's clients is checked when it was bound
void RegisterPlanCheck(duckdb::DatabaseInstance &instance);

} // namespace duckherder
