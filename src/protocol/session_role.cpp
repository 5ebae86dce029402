#include "protocol/session_role.hpp"

#include "duckdb/common/exception.hpp"
#include "duckdb/main/client_context.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

constexpr const char *STATE_NAME = "duckherder_session_role";

} // namespace

void SessionRole::Install(ClientContext &context, Role role) {
	context.registered_state->Insert(STATE_NAME, make_shared_ptr<SessionRole>(role));
}

Role SessionRole::Of(ClientContext &context) {
	auto state = context.registered_state->Get<SessionRole>(STATE_NAME);
	return state ? state->role : Role::NODE;
}

void SessionRole::Require(ClientContext &context, Role needed, const std::string &what) {
	auto role = Of(context);
	if (role < needed) {
		throw PermissionException("%s needs the role '%s', this token has the role '%s'", what, RoleName(needed),
		                          RoleName(role));
	}
}

} // namespace duckherder
