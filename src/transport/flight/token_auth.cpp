#include "transport/flight/token_auth.hpp"

#include "common/limits.hpp"
#include "transport/flight/flight_protocol.hpp"
#include "transport/flight/message_order.hpp"

#include "duckdb/common/exception.hpp"
#include "duckdb/common/types/blob.hpp"

#include <optional>

namespace duckherder {

namespace flight = arrow::flight;

namespace {

class Caller : public flight::ServerMiddleware {
public:
	//! `header` is what the caller shall show next time, if it is not what it has shown
	Caller(Role role_p, std::string header_p) : role(role_p), header(std::move(header_p)) {
	}
	void SendingHeaders(flight::AddCallHeaders *headers) override {
		if (!header.empty()) {
			headers->AddHeader(flight_protocol::AUTHORIZATION_HEADER, header);
		}
	}
	void CallCompleted(const arrow::Status &) override {
		message_order::Sent();
	}
	std::string name() const override {
		return TokenAuth::NAME;
	}

	const Role role;

private:
	const std::string header;
};

//! The password that follows the user's name in the header of HTTP's basic authentication; empty if it is none
std::string BasicPassword(std::string encoded) {
	// some clients leave out what fills it up
	encoded.append((4 - encoded.size() % 4) % 4, '=');
	try {
		auto pair = duckdb::Blob::FromBase64(duckdb::string_t(encoded));
		auto colon = pair.find(':');
		return colon == std::string::npos ? "" : pair.substr(colon + 1);
	} catch (duckdb::Exception &) {
		return "";
	}
}

//! "ipv4:10.0.0.1:4711" without its port, which is another one with each connection
std::string AddressOf(const std::string &peer) {
	auto colon = peer.rfind(':');
	return colon == std::string::npos ? peer : peer.substr(0, colon);
}

} // namespace

TokenAuth::TokenAuth(KnownTokens tokens_p, uint64_t wait_ms)
    : tokens(std::move(tokens_p)), failures(wait_ms, limits::LOGIN_WAITS_MAX) {
}

arrow::Status TokenAuth::StartCall(const flight::CallInfo &, const flight::ServerCallContext &context,
                                   std::shared_ptr<flight::ServerMiddleware> *middleware) {
	message_order::Received();
	auto &headers = context.incoming_headers();
	auto header = headers.find(flight_protocol::AUTHORIZATION_HEADER);
	std::optional<Role> role;
	std::string answer;
	if (header != headers.end()) {
		std::string shown(header->second);
		auto basic = std::string(flight_protocol::BASIC_PREFIX);
		auto bearer = std::string(flight_protocol::BEARER_PREFIX);
		if (shown.rfind(basic, 0) == 0) {
			shown = bearer + BasicPassword(shown.substr(basic.size()));
			answer = shown;
		}
		if (shown.rfind(bearer, 0) == 0) {
			role = tokens.RoleOf(shown.substr(bearer.size()));
		}
	}
	if (!role) {
		failures.Refuse(AddressOf(context.peer()), header != headers.end());
		return flight::MakeFlightError(flight::FlightStatusCode::Unauthenticated, "the token is missing or wrong");
	}
	*middleware = std::make_shared<Caller>(*role, std::move(answer));
	return arrow::Status::OK();
}

Role TokenAuth::RoleOf(const flight::ServerCallContext &context, const std::string &what) {
	auto caller = dynamic_cast<Caller *>(context.GetMiddleware(NAME));
	if (!caller) {
		throw duckdb::PermissionException("%s needs a token", what);
	}
	return caller->role;
}

void TokenAuth::Require(const flight::ServerCallContext &context, Role needed, const std::string &what) {
	auto role = RoleOf(context, what);
	if (role < needed) {
		throw duckdb::PermissionException("%s needs the role '%s', this token has the role '%s'", what,
		                                  RoleName(needed), RoleName(role));
	}
}

} // namespace duckherder
