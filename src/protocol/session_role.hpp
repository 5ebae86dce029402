#pragma once

#include "protocol/role.hpp"

#include "duckdb.hpp"
#include "duckdb/main/client_context_state.hpp"

#include <string>

namespace duckherder {

//! Says in the connections that a driver opens for its clients whose they are. Functions that use what is not part of
//! the database ask it when they are bound and when they run. It is immutable.
class SessionRole : public duckdb::ClientContextState {
public:
	explicit SessionRole(Role role_p) : role(role_p) {
	}

	//! From now on the connection belongs to a client with this role. It is called once for each connection.
	static void Install(duckdb::ClientContext &context, Role role);
	//! Returns the role of the connection's client. A connection that no client has belongs to the process's own user,
	//! who has the cluster's token: NODE.
	static Role Of(duckdb::ClientContext &context);
	//! Throws PermissionException, which names what is needed, if the connection's client may do less than `needed`.
	//! `what` is the beginning of a sentence.
	static void Require(duckdb::ClientContext &context, Role needed, const std::string &what);

	const Role role;
};

} // namespace duckherder
