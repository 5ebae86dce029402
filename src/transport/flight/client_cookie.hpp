#pragma once

#include <arrow/flight/server.h>
#include <arrow/flight/server_middleware.h>

#include <memory>
#include <string>

namespace duckherder {

//! Gives each client of Flight SQL that comes without one a cookie that nobody can guess. One that keeps cookies shows
//! it from then on, and so is known as the same client whatever its connections: behind a proxy that shares or changes
//! them. Thread-safe.
class ClientCookie : public arrow::flight::ServerMiddlewareFactory {
public:
	static constexpr const char *NAME = "client_cookie";

	arrow::Status StartCall(const arrow::flight::CallInfo &info, const arrow::flight::ServerCallContext &context,
	                        std::shared_ptr<arrow::flight::ServerMiddleware> *middleware) override;

	//! The one that the caller shows; empty: it shows none
	static std::string Of(const arrow::flight::CallHeaders &headers);
};

} // namespace duckherder
