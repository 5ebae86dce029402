#pragma once

#include "protocol/database_service.hpp"
#include "protocol/role.hpp"

#include <cstdint>
#include <string>

namespace duckherder {

//! POST /api/v1/sql: runs the statement in a session of its own, with the rights of `role`, and returns at most `limit`
//! of its rows as texts. The statement ends when the caller has `gone`. Throws what the statement throws.
std::string SqlJson(DatabaseService &database, const std::string &sql, Role role, uint64_t limit,
                    const GoneCheck &gone);

} // namespace duckherder
