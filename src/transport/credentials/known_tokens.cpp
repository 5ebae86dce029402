#include "transport/credentials/known_tokens.hpp"

#include "transport/credentials/token.hpp"

namespace duckherder {

KnownTokens::KnownTokens(const std::string &node_token, std::vector<ClientToken> client_tokens)
    : tokens(std::move(client_tokens)) {
	tokens.push_back({Role::NODE, node_token});
}

std::optional<Role> KnownTokens::RoleOf(const std::string &token) const {
	std::optional<Role> role;
	// all are compared, whichever it is
	for (auto &entry : tokens) {
		if (TokensEqual(entry.token, token)) {
			role = entry.role;
		}
	}
	return role;
}

} // namespace duckherder
