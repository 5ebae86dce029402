#pragma once

#include "protocol/role.hpp"
#include "transport/credentials/access.hpp"

#include <optional>
#include <string>
#include <vector>

namespace duckherder {

//! The tokens that a node takes, and what their holders may do. Immutable, so that any thread may ask.
class KnownTokens {
public:
	//! `node_token` is the cluster's own one
	KnownTokens(const std::string &node_token, std::vector<ClientToken> client_tokens);

	//! Takes equally long whichever token it is; none if it is not known.
	std::optional<Role> RoleOf(const std::string &token) const;

private:
	std::vector<ClientToken> tokens;
};

} // namespace duckherder
