#pragma once

#include "transport/credentials/access.hpp"

#include <arrow/flight/server.h>
#include <arrow/flight/server_middleware.h>

#include <memory>
#include <string>
#include <vector>

namespace duckherder {

//! Lets only calls with a known token pass; nothing of the others is decoded. A token may also come as the password of
//! HTTP's basic authentication, whatever the user's name: the answer then has the header to show from now on. Who fails
//! is written to stderr, with how often (each address at most once per LOGIN_LOG_INTERVAL_MS), and has to wait: longer
//! with each failure, but only LOGIN_WAITS_MAX calls at a time, as each keeps a thread. Thread-safe.
class TokenAuth : public arrow::flight::ServerMiddlewareFactory {
public:
	static constexpr const char *NAME = "guard";

	//! `node_token` is the cluster's own one
	TokenAuth(const std::string &node_token, const std::vector<ClientToken> &client_tokens, uint64_t wait_ms);
	~TokenAuth() override;

	arrow::Status StartCall(const arrow::flight::CallInfo &info, const arrow::flight::ServerCallContext &context,
	                        std::shared_ptr<arrow::flight::ServerMiddleware> *middleware) override;

	//! Of the caller
	static Role RoleOf(const arrow::flight::ServerCallContext &context, const std::string &what);
	//! Throws PermissionException, which names what is needed, if the caller may do less than `needed`.
	static void Require(const arrow::flight::ServerCallContext &context, Role needed, const std::string &what);

private:
	class Failures;
	std::vector<ClientToken> tokens;
	std::unique_ptr<Failures> failures;
};

} // namespace duckherder
