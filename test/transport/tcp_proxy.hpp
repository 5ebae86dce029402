#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdint>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace duckherder {

inline sockaddr_in LoopbackAddress(uint16_t port) {
	sockaddr_in address {};
	address.sin_family = AF_INET;
	address.sin_port = htons(port);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

//! A port of this machine that belongs to the test; connections to it are refused unless somebody listens there
class BoundSocket {
public:
	BoundSocket() : descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
		auto address = LoopbackAddress(0);
		socklen_t size = sizeof(address);
		if (bind(descriptor, reinterpret_cast<sockaddr *>(&address), size) != 0 ||
		    getsockname(descriptor, reinterpret_cast<sockaddr *>(&address), &size) != 0) {
			throw std::runtime_error("no free port");
		}
		port = ntohs(address.sin_port);
	}
	~BoundSocket() {
		close(descriptor);
	}
	BoundSocket(const BoundSocket &) = delete;

	//! From now on connections are accepted, by the kernel at least
	void Listen() {
		if (listen(descriptor, 64) != 0) {
			throw std::runtime_error("cannot listen");
		}
	}
	std::string Location() const {
		return "grpc://127.0.0.1:" + std::to_string(port);
	}

	const int descriptor;
	uint16_t port = 0;
};

//! The network between a client and a node, which a test can break: it passes bytes on until it is told otherwise.
class TcpProxy {
public:
	enum Direction { TO_NODE = 0, TO_CLIENT = 1 };
	static constexpr uint64_t NEVER = std::numeric_limits<uint64_t>::max();

	explicit TcpProxy(uint16_t target_p) : target(target_p) {
		entrance.Listen();
		acceptor = std::thread([this] { Accept(); });
	}
	~TcpProxy() {
		{
			std::lock_guard<std::mutex> guard(lock);
			stopping = true;
			frozen = false;
		}
		changed.notify_all();
		shutdown(entrance.descriptor, SHUT_RDWR);
		acceptor.join();
		Cut();
		for (auto &pump : pumps) {
			pump.join();
		}
		for (auto descriptor : sockets) {
			close(descriptor);
		}
	}

	std::string Location() const {
		return entrance.Location();
	}
	void SetTarget(uint16_t port) {
		std::lock_guard<std::mutex> guard(lock);
		target = port;
	}
	//! Nothing passes any more, but no connection ends: what a machine looks like that has lost its power
	void Freeze() {
		std::lock_guard<std::mutex> guard(lock);
		frozen = true;
	}
	//! Ends all connections
	void Cut() {
		std::lock_guard<std::mutex> guard(lock);
		for (auto descriptor : sockets) {
			Reset(descriptor);
		}
	}
	//! Ends all connections once so many more bytes have passed in that direction
	void CutAfter(Direction direction, uint64_t bytes) {
		std::lock_guard<std::mutex> guard(lock);
		left[direction] = bytes;
	}
	//! Changes one bit of the byte after so many more in that direction, once
	void DamageAfter(Direction direction, uint64_t bytes) {
		std::lock_guard<std::mutex> guard(lock);
		damage[direction] = passed[direction] + bytes;
	}
	//! Bytes that have passed so far
	uint64_t Passed(Direction direction) {
		std::lock_guard<std::mutex> guard(lock);
		return passed[direction];
	}

private:
	void Accept() {
		while (true) {
			auto client = accept(entrance.descriptor, nullptr, nullptr);
			std::lock_guard<std::mutex> guard(lock);
			if (client < 0 || stopping) {
				if (client >= 0) {
					close(client);
				}
				return;
			}
			auto node = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
			auto address = LoopbackAddress(target);
			sockets.push_back(client);
			sockets.push_back(node);
			if (connect(node, reinterpret_cast<sockaddr *>(&address), sizeof(address)) != 0) {
				shutdown(client, SHUT_RDWR);
				continue;
			}
			pumps.emplace_back([this, client, node] { Pump(client, node, TO_NODE); });
			pumps.emplace_back([this, client, node] { Pump(node, client, TO_CLIENT); });
		}
	}

	void Pump(int from, int to, Direction direction) {
		std::vector<char> buffer(16 << 10);
		while (true) {
			auto received = recv(from, buffer.data(), buffer.size(), 0);
			if (received <= 0) {
				break;
			}
			auto allowed = Admit(direction, static_cast<uint64_t>(received), buffer.data());
			if (!Send(to, buffer.data(), allowed) || allowed < static_cast<uint64_t>(received)) {
				break;
			}
		}
		Reset(from);
		Reset(to);
	}

	//! As if the process at the other end was killed: what was not read is lost, and whoever waits for it wakes up
	static void Reset(int descriptor) {
		shutdown(descriptor, SHUT_RDWR);
		sockaddr nowhere {};
		nowhere.sa_family = AF_UNSPEC;
		// fails if the connection is gone already
		auto ignored = connect(descriptor, &nowhere, sizeof(nowhere));
		static_cast<void>(ignored);
	}

	//! How many of these bytes may pass, and in what state
	uint64_t Admit(Direction direction, uint64_t bytes, char *data) {
		std::unique_lock<std::mutex> guard(lock);
		changed.wait(guard, [&] { return !frozen; });
		if (left[direction] != NEVER) {
			bytes = std::min(bytes, left[direction]);
			left[direction] -= bytes;
		}
		auto &damaged = damage[direction];
		if (damaged >= passed[direction] && damaged < passed[direction] + bytes) {
			data[damaged - passed[direction]] ^= 4;
			damaged = NEVER;
		}
		passed[direction] += bytes;
		return bytes;
	}

	static bool Send(int to, const char *data, uint64_t size) {
		while (size > 0) {
			auto sent = send(to, data, size, MSG_NOSIGNAL);
			if (sent <= 0) {
				return false;
			}
			data += sent;
			size -= static_cast<uint64_t>(sent);
		}
		return true;
	}

	BoundSocket entrance;
	std::mutex lock;
	std::condition_variable changed;
	uint16_t target;
	bool frozen = false;
	bool stopping = false;
	std::array<uint64_t, 2> left {NEVER, NEVER};
	std::array<uint64_t, 2> passed {0, 0};
	std::array<uint64_t, 2> damage {NEVER, NEVER};
	std::vector<int> sockets;
	std::vector<std::thread> pumps;
	std::thread acceptor;
};

} // namespace duckherder
