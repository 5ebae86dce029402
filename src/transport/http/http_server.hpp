#pragma once

#include "protocol/role.hpp"
#include "transport/credentials/known_tokens.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace duckherder {

struct HttpRequest {
	std::string method;
	std::string path;
	//! Those of the query string, and those that the route's pattern names
	std::map<std::string, std::string> parameters;
	std::string body;
	//! Whether the caller has hung up; for any thread, while the request is handled
	std::function<bool()> gone;
	//! The caller's; READ where the route takes everybody
	Role role = Role::READ;

	//! Empty if it is not there
	std::string Parameter(const std::string &name) const {
		auto found = parameters.find(name);
		return found == parameters.end() ? std::string() : found->second;
	}
};

//! Gives the next piece of an answer without an end. False: it ends here. Called by one thread; it may block for as
//! long as the page can do without news, and about that long a server that stops waits for it.
using NextPiece = std::function<bool(std::string &piece)>;

struct HttpResponse {
	int status = 200;
	std::string content_type = "application/json";
	std::string body;
	//! In place of a body
	NextPiece stream;

	static HttpResponse Error(int status, const std::string &sentence);
};

struct HttpRoute {
	//! GET or POST
	const char *method;
	//! A part of the path may be a parameter: "/api/v1/queries/:id"
	const char *pattern;
	//! None: strangers may call it, too
	std::optional<Role> needed;
	//! Called by several threads. What it throws becomes an answer: 403 for a PermissionException, 400 for an error of
	//! the caller, 404 for a missing entry, else 500.
	std::function<HttpResponse(const HttpRequest &request)> handle;
};

struct HttpServerOptions {
	std::string host = "127.0.0.1";
	//! 0 takes a free one
	uint16_t port = 0;
	KnownTokens tokens;
	//! The page that a browser without a log-in gets; `<!--message-->` in it gives way to what was wrong
	std::string login_page;
	//! The operator takes the risk of listening beyond loopback without TLS
	bool insecure = false;
	//! Both PEM, see MakeTlsContext; empty: it serves without TLS
	std::string tls_certificate;
	std::string tls_key;
};

//! Serves routes over HTTP/1.1, by TLS if it is given a certificate. All but the routes for strangers need a token
//! (`Authorization: Bearer`) or a cookie by which a browser is logged in (POST /login with the token; POST /logout). A
//! request that changes something and is allowed by its cookie needs the header X-Duckherder as well, which pages of
//! other sites cannot send. Answers forbid browsers to load anything from elsewhere and to show the page inside of
//! another one. Callers with wrong tokens have to wait, see LoginFailures; for the limits see HttpConnections.
//! Thread-safe.
class HttpServer {
public:
	HttpServer(HttpServerOptions options, std::vector<HttpRoute> routes);
	//! Stops
	~HttpServer();

	//! Listens, and returns "http://HOST:PORT" or "https://HOST:PORT". Once. Throws InvalidInputException for a host
	//! beyond loopback without TLS or `insecure`, what MakeTlsContext throws, IOException if it cannot listen there.
	std::string Start();
	//! Closes all connections and waits for running handlers. Idempotent.
	void Stop();

private:
	class Implementation;
	//! Shared with the threads of its connections
	std::shared_ptr<Implementation> implementation;
};

} // namespace duckherder
