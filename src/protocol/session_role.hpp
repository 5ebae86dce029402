#pragma once

#include "protocol/role.hpp"

#include "duckdb.hpp"
#include "duckdb/main/client_context_state.hpp"

#include <string>

namespace duckherder {

//! In the connections that a driver opens for its clients: whose they are. Functions that use what is not of the
//! database ask it when they are bound and when they run. Immutable.
class SessionRole : public duckdb::ClientContextState {
public:
	explicit SessionRole(Role role_p) : role(role_p) {
	}

	//! From now on the connection is that of a client with this role. Once for each connection.
	static void Install(duckdb::ClientContext &context, Role role);
	//! A connection that nobody's client has is that of the process's own user, who has the cluster's token: NODE.
	static Role Of(duckdb::ClientContext &context);
	//! Throws PermissionException, which names what is needed, if the connection's client may do less than `needed`.
	//! `what`: the beginning of a sentence
	static void Require(duckdb::ClientContext &context, Role needed, const std::string &what);

	const Role role;
};

} // namespace duckherder
