#include "transport/http/http_server.hpp"

#include "common/clock.hpp"
#include "common/limits.hpp"
#include "transport/credentials/login_failures.hpp"
#include "transport/http/http_connections.hpp"
#include "transport/http/http_logins.hpp"
#include "transport/http/http_stream.hpp"
#include "transport/http/tls.hpp"
#include "transport/listen/listen_failure.hpp"

#include "duckdb/common/error_data.hpp"
#include "duckdb/common/exception.hpp"

#include <csignal>
#include <httplib.hpp>
#include <poll.h>
#include <set>

namespace duckherder {

namespace {

namespace http = duckdb_httplib;

constexpr const char *BEARER = "Bearer ";
constexpr const char *COOKIE = "duckherder_login";
constexpr const char *LOGIN_PATH = "/login";
//! Pages of other sites cannot send it without asking first, which nobody answers here
constexpr const char *OWN_PAGE_HEADER = "X-Duckherder";
constexpr const char *MESSAGE_MARK = "<!--message-->";

//! A page loads nothing from elsewhere, runs no script of its own text, and stands in no other site's frame
constexpr const char *CONTENT_POLICY =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
//! The page for strangers brings its style along, as they get no other file
constexpr const char *LOGIN_CONTENT_POLICY =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'";

//! The HTTP library lets the whole process ignore SIGPIPE, which is not ours to decide in a user's process. Writes here
//! do not raise it.
class KeptPipeSignal {
public:
	KeptPipeSignal() {
		sigaction(SIGPIPE, nullptr, &before);
	}
	~KeptPipeSignal() {
		sigaction(SIGPIPE, &before, nullptr);
	}

private:
	struct sigaction before {};
};

//! The library's parser and router, over connections that it does not know
class Router : public http::Server {
public:
	Router() {
		// it would take itself for one that shuts down
		svr_sock_ = 0;
	}

	bool Answer(HttpStream &stream, const std::string &peer) {
		auto closes = false;
		auto answered = process_request(stream, peer, 0, std::string(), 0, false, closes, nullptr);
		return answered && !closes && stream.Usable();
	}
};

//! A route's pattern as the library wants it: a regular expression with a group for each parameter
struct RoutePath {
	std::string expression;
	std::vector<std::string> names;

	explicit RoutePath(const std::string &pattern) {
		for (size_t start = 0; start < pattern.size();) {
			auto end = std::min(pattern.find('/', start + 1), pattern.size());
			auto part = pattern.substr(start, end - start);
			if (part.compare(0, 2, "/:") == 0) {
				names.push_back(part.substr(2));
				part = "/([^/]+)";
			}
			expression += part;
			start = end;
		}
	}
};

struct Caller {
	std::optional<Role> role;
	bool by_cookie = false;
	//! A token or a cookie, which may be wrong
	bool shows_token = false;
};

//! The value of one of the cookies of a request
std::string CookieOf(const http::Request &request) {
	auto text = request.get_header_value("Cookie");
	auto name = std::string(COOKIE) + "=";
	for (size_t start = 0; start < text.size();) {
		auto end = std::min(text.find(';', start), text.size());
		auto first = text.find_first_not_of(' ', start);
		if (first != std::string::npos && text.compare(first, name.size(), name) == 0) {
			return text.substr(first + name.size(), end - first - name.size());
		}
		start = end + 1;
	}
	return std::string();
}

//! Of the request that this thread answers. The HTTP library does not tell its handlers.
thread_local int answering_socket = -1;

//! What a client has sent before it went may still be there to be read, as the end of TLS is.
bool HasHungUp(int socket) {
	pollfd looked_at {socket, POLLRDHUP, 0};
	return poll(&looked_at, 1, 0) > 0 && (looked_at.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

bool ReadsOnly(const http::Request &request) {
	return request.method == "GET" || request.method == "HEAD";
}

std::string EscapedForJson(const std::string &text) {
	std::string result;
	for (auto character : text) {
		if (character == '"' || character == '\\') {
			result += '\\';
		}
		result += static_cast<unsigned char>(character) < ' ' ? ' ' : character;
	}
	return result;
}

int StatusOf(duckdb::ExceptionType type) {
	switch (type) {
	case duckdb::ExceptionType::PERMISSION:
		return 403;
	case duckdb::ExceptionType::IO:
	case duckdb::ExceptionType::CONNECTION:
		return 503;
	case duckdb::ExceptionType::INTERNAL:
	case duckdb::ExceptionType::FATAL:
		return 500;
	default:
		return 400;
	}
}

HttpResponse ErrorOf(const std::exception &exception) {
	duckdb::ErrorData error(exception);
	return HttpResponse::Error(StatusOf(error.Type()), error.RawMessage());
}

} // namespace

HttpResponse HttpResponse::Error(int status, const std::string &sentence) {
	HttpResponse response;
	response.status = status;
	response.body = "{\"error\": \"" + EscapedForJson(sentence) + "\"}\n";
	return response;
}

class HttpServer::Implementation : public std::enable_shared_from_this<HttpServer::Implementation> {
public:
	Implementation(HttpServerOptions options_p, std::vector<HttpRoute> routes_p)
	    : options(std::move(options_p)), routes(std::move(routes_p)), logins(std::make_shared<SteadyClock>()),
	      failures(limits::LOGIN_WAIT_MS, limits::HTTP_LOGIN_WAITS_MAX) {
		KeptPipeSignal kept;
		router = std::make_unique<Router>();
		router->set_payload_max_length(limits::HTTP_BODY_BYTES_MAX);
		// it only says so; HttpConnections does it
		router->set_keep_alive_timeout(limits::HTTP_IDLE_MS / 1000);
		router->set_pre_routing_handler(
		    [this](const http::Request &request, http::Response &response) { return Guard(request, response); });
		router->set_post_routing_handler([](const http::Request &, http::Response &response) { AddHeaders(response); });
		router->set_error_handler([](const http::Request &request, http::Response &response) {
			if (response.body.empty()) {
				Put(HttpResponse::Error(response.status, request.method + " " + request.path + ": " +
				                                             http::status_message(response.status)),
				    response);
			}
		});
		// the second is where the form of a browser goes, see login.html
		for (auto path : {LOGIN_PATH, "/"}) {
			router->Post(path,
			             [this](const http::Request &request, http::Response &response) { LogIn(request, response); });
		}
		router->Post("/logout", [this](const http::Request &request, http::Response &response) {
			logins.End(CookieOf(request));
			response.set_header("Set-Cookie", LoginCookie("") + "; Max-Age=0");
			response.set_redirect("/", 303);
		});
		for (auto &route : routes) {
			RoutePath path(route.pattern);
			auto handler = [this, &route, names = path.names](const http::Request &request, http::Response &response) {
				Handle(route, names, request, response);
			};
			if (std::string(route.method) == "GET") {
				router->Get(path.expression, handler);
			} else {
				router->Post(path.expression, handler);
			}
			if (!route.needed) {
				open_paths.insert(route.pattern);
			}
		}
	}

	std::string Start() {
		if (!UsesTls() && !options.insecure && !IsLoopback(options.host)) {
			throw duckdb::InvalidInputException("Serving pages at %s, beyond this machine, would send tokens in the "
			                                    "clear: serve them by TLS (--tls-cert "
			                                    "and --tls-key), or at 127.0.0.1 behind a proxy or a tunnel, or take "
			                                    "--insecure if the network is trusted",
			                                    options.host);
		}
		auto tls = UsesTls() ? MakeTlsContext(options.tls_certificate, options.tls_key) : nullptr;
		connections.Start(options.host, options.port, std::move(tls), [self = shared_from_this()](HttpCall &call) {
			HttpStream stream(call);
			answering_socket = call.socket;
			return self->router->Answer(stream, call.peer);
		});
		auto bracketed = options.host.find(':') == std::string::npos ? options.host : "[" + options.host + "]";
		return (UsesTls() ? "https://" : "http://") + bracketed + ":" + std::to_string(connections.Port());
	}

	void Stop() {
		connections.Stop();
	}

private:
	bool UsesTls() const {
		return !options.tls_certificate.empty();
	}

	std::string LoginCookie(const std::string &name) const {
		auto attributes = std::string("; Path=/; HttpOnly; SameSite=Strict") + (UsesTls() ? "; Secure" : "");
		return std::string(COOKIE) + "=" + name + attributes;
	}

	Caller CallerOf(const http::Request &request) {
		Caller caller;
		auto shown = request.get_header_value("Authorization");
		auto bearer = std::string(BEARER);
		if (shown.compare(0, bearer.size(), bearer) == 0) {
			caller.shows_token = true;
			caller.role = options.tokens.RoleOf(shown.substr(bearer.size()));
			return caller;
		}
		// a cookie that is too old is no sign of somebody who guesses
		caller.role = logins.RoleOf(CookieOf(request));
		caller.by_cookie = caller.role.has_value();
		return caller;
	}

	//! What is not for strangers goes no further without a token, whatever is asked for
	http::Server::HandlerResponse Guard(const http::Request &request, http::Response &response) {
		using Answer = http::Server::HandlerResponse;
		auto logs_in = request.path == LOGIN_PATH || (request.path == "/" && request.method == "POST");
		if (open_paths.count(request.path) > 0 || logs_in) {
			return Answer::Unhandled;
		}
		auto caller = CallerOf(request);
		if (!caller.role) {
			if (caller.shows_token) {
				failures.Refuse("http:" + request.remote_addr, true);
			}
			PutLogin(request, caller.shows_token ? "The token is wrong." : "", response);
			return Answer::Handled;
		}
		if (caller.by_cookie && !ReadsOnly(request) && request.path != "/logout" &&
		    !request.has_header(OWN_PAGE_HEADER)) {
			Put(HttpResponse::Error(403, std::string("A request that changes something needs the header ") +
			                                 OWN_PAGE_HEADER + ", or a token in place of the cookie"),
			    response);
			return Answer::Handled;
		}
		return Answer::Unhandled;
	}

	void Handle(const HttpRoute &route, const std::vector<std::string> &names, const http::Request &request,
	            http::Response &response) {
		HttpRequest own;
		if (route.needed) {
			// it may have logged out meanwhile, and then is READ, which no route that changes something takes
			own.role = CallerOf(request).role.value_or(Role::READ);
			if (own.role < *route.needed) {
				Put(HttpResponse::Error(403, std::string(route.method) + " " + request.path + " needs the role '" +
				                                 RoleName(*route.needed) + "', this token has the role '" +
				                                 RoleName(own.role) + "'"),
				    response);
				return;
			}
		}
		own.method = request.method;
		own.path = request.path;
		own.parameters = {request.params.begin(), request.params.end()};
		for (size_t i = 0; i < names.size(); i++) {
			own.parameters[names[i]] = request.matches.groups[i + 1].text;
		}
		own.body = request.body;
		own.gone = [socket = answering_socket] { return HasHungUp(socket); };
		try {
			auto answer = route.handle(own);
			if (answer.stream && !Streams(answer, response)) {
				answer = HttpResponse::Error(503, "Too many pages are open that follow the cluster: close some");
			}
			if (!answer.stream) {
				Put(answer, response);
			}
		} catch (std::exception &error) {
			Put(ErrorOf(error), response);
		}
	}

	//! False if there are too many
	bool Streams(const HttpResponse &answer, http::Response &response) {
		if (!connections.BeginStream()) {
			return false;
		}
		response.set_chunked_content_provider(
		    answer.content_type,
		    [next = answer.stream](size_t, http::DataSink &sink) {
			    std::string piece;
			    if (!next(piece)) {
				    sink.done();
				    return true;
			    }
			    return sink.write(piece.data(), piece.size());
		    },
		    [this](bool) { connections.EndStream(); });
		return true;
	}

	void LogIn(const http::Request &request, http::Response &response) {
		auto token = request.get_param_value("token");
		auto role = options.tokens.RoleOf(token);
		// a page of another site could log its visitor in as somebody else
		auto site = request.get_header_value("Sec-Fetch-Site");
		if (!site.empty() && site != "same-origin" && site != "none") {
			Put(HttpResponse::Error(403, "Log in from this server's own page"), response);
			return;
		}
		if (!role) {
			failures.Refuse("http:" + request.remote_addr, !token.empty());
			PutLogin(request, "The token is wrong.", response);
			return;
		}
		response.set_header("Set-Cookie", LoginCookie(logins.Begin(*role)));
		response.set_redirect("/", 303);
	}

	//! To a stranger: for a browser the page, for a program a sentence
	void PutLogin(const http::Request &request, const std::string &message, http::Response &response) {
		if (request.get_header_value("Accept").find("text/html") == std::string::npos) {
			response.set_header("WWW-Authenticate", "Bearer realm=\"duckherder\"");
			Put(HttpResponse::Error(401, message.empty() ? "This needs a token: Authorization: Bearer TOKEN" : message),
			    response);
			return;
		}
		auto page = options.login_page;
		auto mark = page.find(MESSAGE_MARK);
		if (mark != std::string::npos) {
			page.replace(mark, std::string(MESSAGE_MARK).size(), message);
		}
		response.status = 401;
		response.set_header("Content-Security-Policy", LOGIN_CONTENT_POLICY);
		response.set_content(page, "text/html; charset=utf-8");
	}

	static void Put(const HttpResponse &answer, http::Response &response) {
		response.status = answer.status;
		response.set_content(answer.body, answer.content_type);
	}

	static void AddHeaders(http::Response &response) {
		if (!response.has_header("Content-Security-Policy")) {
			response.set_header("Content-Security-Policy", CONTENT_POLICY);
		}
		response.set_header("X-Content-Type-Options", "nosniff");
		response.set_header("X-Frame-Options", "DENY");
		response.set_header("Referrer-Policy", "no-referrer");
		response.set_header("Cross-Origin-Resource-Policy", "same-origin");
		response.set_header("Cache-Control", "no-store");
	}

	const HttpServerOptions options;
	const std::vector<HttpRoute> routes;
	HttpLogins logins;
	LoginFailures failures;
	std::set<std::string> open_paths;
	std::unique_ptr<Router> router;
	HttpConnections connections;
};

HttpServer::HttpServer(HttpServerOptions options, std::vector<HttpRoute> routes)
    : implementation(std::make_shared<Implementation>(std::move(options), std::move(routes))) {
}

HttpServer::~HttpServer() {
	Stop();
}

std::string HttpServer::Start() {
	return implementation->Start();
}

void HttpServer::Stop() {
	implementation->Stop();
}

} // namespace duckherder
