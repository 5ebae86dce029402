#pragma once

#include "protocol/role.hpp"

#include <string>
#include <vector>

namespace duckherder {

//! A token other than the cluster's own one
struct ClientToken {
	Role role;
	std::string token;
};

//! From a file with a line "read TOKEN", "write TOKEN" or "admin TOKEN" each; empty lines and those that begin with #
//! are skipped. Nothing for an empty path. Thread-safe. Throws as LoadOrCreateToken does for named files, and
//! InvalidInputException that names the line.
std::vector<ClientToken> LoadClientTokens(const std::string &path);

} // namespace duckherder
