#pragma once

#include "protocol/database_service.hpp"

#include "duckdb.hpp"
#include "duckdb/parser/sql_statement.hpp"
#include "duckdb/planner/logical_operator.hpp"

namespace duckherder {

//! Throw PermissionException, which says what is not allowed, for COPY … TO, for functions that control nodes, for SET,
//! ATTACH, LOAD and the like, and, to readers, for scans of files.
void CheckPlan(const duckdb::LogicalOperator &plan, Trust trust);
//! By its kind only, before anything of it is bound; its plan is another question
void CheckKind(const duckdb::SQLStatement &statement, Trust trust);

} // namespace duckherder
