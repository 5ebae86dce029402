#include "transport/flight/open_peers.hpp"

#include "common/limits.hpp"

#include <arpa/inet.h>
#include <cstdlib>
#include <dirent.h>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <vector>

namespace duckherder {

namespace {

//! Numbers of the files that this process has open
std::vector<int> OpenFiles() {
	std::vector<int> files;
	std::unique_ptr<DIR, int (*)(DIR *)> directory(opendir("/proc/self/fd"), closedir);
	while (directory) {
		auto entry = readdir(directory.get());
		if (!entry) {
			break;
		}
		char *end = nullptr;
		auto number = std::strtol(entry->d_name, &end, 10);
		if (end != entry->d_name && *end == '\0') {
			files.push_back(static_cast<int>(number));
		}
	}
	return files;
}

std::string Ipv4(const void *address, in_port_t port) {
	char text[INET_ADDRSTRLEN] = {};
	inet_ntop(AF_INET, address, text, sizeof(text));
	return std::string("ipv4:") + text + ":" + std::to_string(ntohs(port));
}

std::string NameOf(const sockaddr_storage &peer) {
	if (peer.ss_family == AF_INET) {
		auto &ipv4 = reinterpret_cast<const sockaddr_in &>(peer);
		return Ipv4(&ipv4.sin_addr, ipv4.sin_port);
	}
	if (peer.ss_family != AF_INET6) {
		return "";
	}
	auto &ipv6 = reinterpret_cast<const sockaddr_in6 &>(peer);
	if (IN6_IS_ADDR_V4MAPPED(&ipv6.sin6_addr)) {
		constexpr size_t IPV4_OFFSET = 12;
		return Ipv4(ipv6.sin6_addr.s6_addr + IPV4_OFFSET, ipv6.sin6_port);
	}
	char text[INET6_ADDRSTRLEN] = {};
	inet_ntop(AF_INET6, &ipv6.sin6_addr, text, sizeof(text));
	return std::string("ipv6:%5B") + text + "%5D:" + std::to_string(ntohs(ipv6.sin6_port));
}

void AskForSignsOfLife(int file) {
	auto set = [&](int level, int option, int value) { setsockopt(file, level, option, &value, sizeof(value)); };
	constexpr int PROBES = 3;
	constexpr int PROBE_SECONDS = limits::FLIGHT_SQL_PROBE_SECONDS / (PROBES + 1);
	set(IPPROTO_TCP, TCP_KEEPIDLE, PROBE_SECONDS);
	set(IPPROTO_TCP, TCP_KEEPINTVL, PROBE_SECONDS);
	set(IPPROTO_TCP, TCP_KEEPCNT, PROBES);
	set(SOL_SOCKET, SO_KEEPALIVE, 1);
}

} // namespace

std::set<std::string> OpenPeers() {
	std::set<std::string> peers;
	for (auto file : OpenFiles()) {
		sockaddr_storage peer {};
		socklen_t size = sizeof(peer);
		if (getpeername(file, reinterpret_cast<sockaddr *>(&peer), &size) != 0) {
			continue;
		}
		auto name = NameOf(peer);
		if (!name.empty()) {
			AskForSignsOfLife(file);
			peers.insert(std::move(name));
		}
	}
	return peers;
}

} // namespace duckherder
