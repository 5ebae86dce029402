#pragma once

#include "protocol/database_service.hpp"
#include "protocol/role.hpp"

#include "duckdb/common/types/value.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace duckherder {

//! All that a statement returns, in memory
struct StatementRows {
	ResultShape shape;
	std::vector<std::vector<duckdb::Value>> rows;
	//! There are no more rows than these
	bool complete = true;
};

//! Runs one statement in a session of its own, with the rights of `role` if the database is this process's, and commits
//! it. Takes at most `limit` of its rows. The statement ends when the caller has `gone`. Throws what it throws.
StatementRows RunStatement(DatabaseService &database, const std::string &sql, Role role, uint64_t limit,
                           const GoneCheck &gone);

} // namespace duckherder
