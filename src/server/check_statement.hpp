#pragma once

#include "protocol/role.hpp"

#include "duckdb.hpp"
#include "duckdb/parser/sql_statement.hpp"

namespace duckherder {

//! Throws PermissionException, which says what is not allowed, unless the role may run the statement. Looks at the
//! parsed statement alone, by lists of what is allowed, before anything of it is bound, named or described: 'read' may
//! query, 'write' also change and define what is in databases, both without whatever else the driver could do. A
//! transaction has to be active. Only reads, though DuckDB enumerates through non-const references.
void CheckStatement(duckdb::ClientContext &context, duckdb::SQLStatement &statement, Role role);

} // namespace duckherder
