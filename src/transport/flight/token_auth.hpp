#pragma once

#include "transport/credentials/known_tokens.hpp"
#include "transport/credentials/login_failures.hpp"

#include <arrow/flight/server.h>
#include <arrow/flight/server_middleware.h>

#include <memory>
#include <string>

namespace duckherder {

//! Lets only calls with a known token pass; nothing of the others is decoded. A token may also come as the password of
//! HTTP's basic authentication, whatever the user's name: the answer then has the header to show from now on. Who fails
//! has to wait, see LoginFailures. Thread-safe.
class TokenAuth : public arrow::flight::ServerMiddlewareFactory {
public:
	static constexpr const char *NAME = "guard";

	//! The first call with a wrong token waits for `wait_ms`, see LoginFailures
	TokenAuth(KnownTokens tokens, uint64_t wait_ms);

	arrow::Status StartCall(const arrow::flight::CallInfo &info, const arrow::flight::ServerCallContext &context,
	                        std::shared_ptr<arrow::flight::ServerMiddleware> *middleware) override;

	//! Of the caller
	static Role RoleOf(const arrow::flight::ServerCallContext &context, const std::string &what);
	//! Throws PermissionException, which names what is needed, if the caller may do less than `needed`.
	static void Require(const arrow::flight::ServerCallContext &context, Role needed, const std::string &what);

private:
	const KnownTokens tokens;
	LoginFailures failures;
};

} // namespace duckherder
