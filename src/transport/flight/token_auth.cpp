#include "transport/flight/token_auth.hpp"

#include "common/clock.hpp"
#include "common/limits.hpp"
#include "transport/flight/flight_protocol.hpp"
#include "transport/flight/message_order.hpp"
#include "transport/credentials/token.hpp"

#include "duckdb/common/exception.hpp"
#include "duckdb/common/types/blob.hpp"

#include <iostream>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

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

class TokenAuth::Failures {
public:
	explicit Failures(uint64_t wait_ms) : first_wait_ms(wait_ms) {
	}

	//! Notes one, and says for how long the caller has to wait, in ms
	uint64_t Note(const std::string &address, bool has_token) {
		std::lock_guard<std::mutex> guard(lock);
		auto now = clock.NowMs();
		if (addresses.size() >= limits::LOGIN_ADDRESSES_MAX && addresses.count(address) == 0) {
			addresses.clear();
		}
		auto &entry = addresses[address];
		if (entry.count > 0 && now - entry.last_ms > limits::LOGIN_FORGET_MS) {
			entry = Entry();
		}
		entry.count++;
		entry.last_ms = now;
		if (entry.count == 1 || now - entry.logged_ms >= limits::LOGIN_LOG_INTERVAL_MS) {
			entry.logged_ms = now;
			std::cerr << "refused a call from " << address << ": "
			          << (has_token ? "its token is wrong" : "it has no token") << " (" << entry.count << " failures)"
			          << std::endl;
		}
		auto wait = first_wait_ms;
		for (uint64_t i = 1; i < entry.count && wait > 0 && wait < limits::LOGIN_WAIT_MAX_MS; i++) {
			wait *= 2;
		}
		return std::min(wait, limits::LOGIN_WAIT_MAX_MS);
	}

	void Wait(uint64_t wait_ms) {
		if (wait_ms == 0) {
			return;
		}
		{
			std::lock_guard<std::mutex> guard(lock);
			if (waiting >= limits::LOGIN_WAITS_MAX) {
				return;
			}
			waiting++;
		}
		std::this_thread::sleep_for(std::chrono::milliseconds(wait_ms));
		std::lock_guard<std::mutex> guard(lock);
		waiting--;
	}

private:
	struct Entry {
		uint64_t count = 0;
		TimeMs last_ms = 0;
		TimeMs logged_ms = 0;
	};
	const uint64_t first_wait_ms;
	SteadyClock clock;
	std::mutex lock;
	std::map<std::string, Entry> addresses;
	uint32_t waiting = 0;
};

TokenAuth::TokenAuth(const std::string &node_token, const std::vector<ClientToken> &client_tokens, uint64_t wait_ms)
    : tokens(client_tokens), failures(std::make_unique<Failures>(wait_ms)) {
	tokens.push_back({Role::NODE, node_token});
	for (auto &entry : tokens) {
		entry.token = flight_protocol::BEARER_PREFIX + entry.token;
	}
}

TokenAuth::~TokenAuth() = default;

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
		if (shown.rfind(basic, 0) == 0) {
			shown = flight_protocol::BEARER_PREFIX + BasicPassword(shown.substr(basic.size()));
			answer = shown;
		}
		// all are compared, whichever it is
		for (auto &entry : tokens) {
			if (TokensEqual(entry.token, shown)) {
				role = entry.role;
			}
		}
	}
	if (!role) {
		failures->Wait(failures->Note(AddressOf(context.peer()), header != headers.end()));
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
