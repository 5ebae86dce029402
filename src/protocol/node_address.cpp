#include "protocol/node_address.hpp"

#include "duckdb/common/exception.hpp"

#include <algorithm>
#include <cctype>

namespace duckherder {

using duckdb::InvalidInputException;

namespace {

constexpr const char *LOOPBACK = "127.0.0.1";
//! 65535 has so many
constexpr size_t PORT_DIGITS_MAX = 5;

[[noreturn]] void Refuse(const std::string &text, const std::string &why) {
	throw InvalidInputException("'%s' is no address of a node: %s. It can be HOST:PORT, [IPV6]:PORT, grpc://HOST:PORT, "
	                            "grpc+tls://HOST:PORT, or a PORT of this machine",
	                            text, why);
}

bool IsNumber(const std::string &text) {
	return !text.empty() &&
	       std::all_of(text.begin(), text.end(), [](unsigned char character) { return std::isdigit(character); });
}

uint16_t PortOf(const std::string &digits, const std::string &text) {
	auto port = IsNumber(digits) && digits.size() <= PORT_DIGITS_MAX ? std::stoul(digits) : 65536;
	if (port > 65535) {
		Refuse(text, "'" + digits + "' is no port, which is a number up to 65535");
	}
	return static_cast<uint16_t>(port);
}

//! Takes the scheme off
std::optional<bool> TakeScheme(std::string &rest, const std::string &text) {
	auto end = rest.find("://");
	if (end == std::string::npos) {
		return std::nullopt;
	}
	auto scheme = rest.substr(0, end);
	rest = rest.substr(end + 3);
	if (!rest.empty() && rest.back() == '/') {
		rest.pop_back();
	}
	if (scheme == "grpc" || scheme == "grpc+tcp") {
		return false;
	}
	if (scheme != "grpc+tls") {
		Refuse(text, "the scheme is '" + scheme + "'");
	}
	return true;
}

void CheckHost(const std::string &host, const std::string &text) {
	if (host.empty()) {
		Refuse(text, "there is no host");
	}
	auto allowed = [](unsigned char character) {
		return std::isalnum(character) || character >= 0x80 ||
		       std::string("-._:%").find(static_cast<char>(character)) != std::string::npos;
	};
	if (!std::all_of(host.begin(), host.end(), allowed)) {
		Refuse(text, "'" + host + "' is no host");
	}
}

} // namespace

std::string NodeAddress::HostPort() const {
	auto bracketed = host.find(':') == std::string::npos ? host : "[" + host + "]";
	return bracketed + ":" + std::to_string(port);
}

std::string NodeAddress::Location(bool tls_by_default) const {
	return (tls.value_or(tls_by_default) ? "grpc+tls://" : "grpc://") + HostPort();
}

NodeAddress ParseNodeAddress(const std::string &text, uint16_t missing_port) {
	NodeAddress result;
	auto rest = text;
	result.tls = TakeScheme(rest, text);
	result.port = missing_port;
	auto colon = rest.rfind(':');
	if (!rest.empty() && rest.front() == '[') {
		auto bracket = rest.find(']');
		auto complete = bracket != std::string::npos && (bracket + 1 == rest.size() || rest[bracket + 1] == ':');
		if (!complete) {
			Refuse(text, "its brackets do not stand around the host");
		}
		result.host = rest.substr(1, bracket - 1);
		if (bracket + 1 < rest.size()) {
			result.port = PortOf(rest.substr(bracket + 2), text);
		}
	} else if (IsNumber(rest)) {
		result.host = LOOPBACK;
		result.port = PortOf(rest, text);
	} else if (colon == std::string::npos || rest.find(':') != colon) {
		// more than one colon without brackets: IPv6 alone
		result.host = rest;
	} else {
		result.host = rest.substr(0, colon);
		result.port = PortOf(rest.substr(colon + 1), text);
	}
	CheckHost(result.host, text);
	return result;
}

NodeAddress JoinNodeAddress(const std::string &host, uint16_t port) {
	if (IsNumber(host)) {
		Refuse(host, "a host and a port are needed");
	}
	auto result = ParseNodeAddress(host, port);
	if (result.port != port) {
		throw InvalidInputException("'%s' names the port %d, and beside it stands the port %d", host, result.port,
		                            port);
	}
	return result;
}

} // namespace duckherder
