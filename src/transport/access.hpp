#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace duckherder {

//! What the holder of a token may do at a node. Each role may do what those before it may.
enum class Role : uint8_t {
	READ = 0,  //! look at the cluster: its workers, their state
	WRITE = 1, //! change data through a driver
	ADMIN = 2, //! change nodes: load extensions, remove workers, cancel queries
	NODE = 3   //! be part of the cluster: register workers, run tasks on them, read their outputs. A plan is code.
};

const char *RoleName(Role role);

//! A token other than the cluster's own one
struct ClientToken {
	Role role = Role::READ;
	std::string token;
};

//! From a file with a line "read TOKEN", "write TOKEN" or "admin TOKEN" each; empty lines and those that begin with #
//! are skipped. Nothing for an empty path. Thread-safe. Throws as LoadOrCreateToken does for named files, and
//! InvalidInputException that names the line.
std::vector<ClientToken> LoadClientTokens(const std::string &path);

} // namespace duckherder
