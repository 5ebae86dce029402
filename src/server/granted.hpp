#pragma once

#include "engine/function_traits.hpp"
#include "protocol/role.hpp"

#include "duckdb.hpp"
#include "duckdb/main/attached_database.hpp"

#include <cstdint>
#include <string>

//! What the statements of a driver's clients may use, by the role of their token. Stateless, thread-safe.
namespace duckherder {

//! Bits of FunctionPower: what the functions that statements call may reach. With 'write' those that read files do so
//! within the paths that the driver was given.
uint16_t GrantedPowers(Role role);
//! What views may reach beside it: who makes one of a file may read the file himself
constexpr uint16_t VIEW_POWERS = FunctionPower::READS_FILES | FunctionPower::NETWORK;

//! Whether clients of this role may name the database. What belongs to a lake's own bookkeeping, and what another
//! driver has, which would be asked with this one's token, is not for them.
bool IsServed(const duckdb::AttachedDatabase &database, Role role);

//! Throws PermissionException. `what` is the beginning of the sentence.
[[noreturn]] void Refuse(const std::string &what, Role role);
//! Refuses a function that can do more than is granted
void CheckPowers(const std::string &function, uint16_t powers, uint16_t granted, Role role);

} // namespace duckherder
