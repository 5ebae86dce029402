#include "transport/listen/listen_failure.hpp"

#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

namespace duckherder {

namespace {

//! 0 or the error of the system
int TryAddress(const addrinfo &address) {
	auto handle = OpenListeningSocket(address, 1);
	if (handle < 0) {
		return errno;
	}
	close(handle);
	return 0;
}

std::string Describe(int error, const std::string &host, uint16_t port) {
	switch (error) {
	case EADDRINUSE:
		return "another process listens at port " + std::to_string(port) +
		       " already: end it, or choose another port (0 "
		       "takes a free one)";
	case EADDRNOTAVAIL:
		return "'" + host + "' is no address of this machine";
	case EACCES:
		return "port " + std::to_string(port) + " is for privileged processes: choose one above 1023";
	default:
		return strerror(error);
	}
}

} // namespace

int OpenListeningSocket(const addrinfo &address, int backlog) {
	auto handle = socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address.ai_protocol);
	if (handle < 0) {
		return handle;
	}
	// as gRPC does: a port is not taken by connections that have ended
	int enable = 1;
	setsockopt(handle, SOL_SOCKET, SO_REUSEADDR, &enable, sizeof(enable));
	if (bind(handle, address.ai_addr, address.ai_addrlen) != 0 || listen(handle, backlog) != 0) {
		auto error = errno;
		close(handle);
		errno = error;
		return -1;
	}
	return handle;
}

std::string WhyNoListening(const std::string &host, uint16_t port) {
	addrinfo hints {};
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_PASSIVE;
	addrinfo *addresses = nullptr;
	auto error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &addresses);
	if (error != 0) {
		return "'" + host + "' cannot be looked up: " + gai_strerror(error);
	}
	std::string result;
	for (auto *address = addresses; address && result.empty(); address = address->ai_next) {
		auto failure = TryAddress(*address);
		result = failure != 0 ? Describe(failure, host, port) : std::string();
	}
	freeaddrinfo(addresses);
	return result;
}

bool IsLoopback(const std::string &host) {
	return host == "localhost" || host == "::1" || host.rfind("127.", 0) == 0;
}

} // namespace duckherder
