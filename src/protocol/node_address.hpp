#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace duckherder {

//! Where a node listens, or will listen.
struct NodeAddress {
	//! The host is a name or an IP address, without brackets.
	std::string host;
	uint16_t port = 0;
	//! The scheme says this, if one was typed.
	std::optional<bool> tls;

	//! Returns "host:port", with brackets around IPv6.
	std::string HostPort() const;
	//! Returns "grpc://host:port" or "grpc+tls://host:port". `tls_by_default` decides where no scheme was typed.
	std::string Location(bool tls_by_default) const;
};

constexpr uint16_t DEFAULT_PORT = 8815;

//! Parses the one form of addresses, for functions, flags and ATTACH: "host:port", "host", "[::1]:port", "::1", or a
//! port alone, which is of this machine; before it "grpc://" or "grpc+tls://" if wanted. An address without a port gets
//! `missing_port`. Throws InvalidInputException that shows the forms.
NodeAddress ParseNodeAddress(const std::string &text, uint16_t missing_port = DEFAULT_PORT);

//! Does the same for a host and a port that come apart. The host may be any form of address that names no other port.
NodeAddress JoinNodeAddress(const std::string &host, uint16_t port);

} // namespace duckherder
