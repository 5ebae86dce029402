#include "transport/http/http_connections.hpp"

#include "common/limits.hpp"
#include "transport/http/http_framing.hpp"
#include "transport/listen/listen_failure.hpp"

#include "duckdb/common/exception.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

namespace duckherder {

namespace {

//! Pending connections in the kernel
constexpr int BACKLOG = 512;
constexpr size_t READ_BYTES = 64ULL << 10;

int ListenAt(const std::string &host, uint16_t port) {
	addrinfo hints {};
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_PASSIVE;
	addrinfo *addresses = nullptr;
	auto result = -1;
	if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &addresses) == 0) {
		for (auto *address = addresses; address && result < 0; address = address->ai_next) {
			result = OpenListeningSocket(*address, BACKLOG);
		}
		freeaddrinfo(addresses);
	}
	if (result < 0) {
		throw duckdb::IOException("Cannot listen for HTTP at %s:%d: %s", host, port, WhyNoListening(host, port));
	}
	return result;
}

std::string AddressOf(const sockaddr_storage &address) {
	char text[INET6_ADDRSTRLEN] = {};
	if (address.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6 &>(address).sin6_addr, text, sizeof(text));
	} else {
		inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in &>(address).sin_addr, text, sizeof(text));
	}
	return text;
}

uint16_t PortOf(int socket) {
	sockaddr_storage address {};
	socklen_t length = sizeof(address);
	getsockname(socket, reinterpret_cast<sockaddr *>(&address), &length);
	return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6 &>(address).sin6_port
	                                           : reinterpret_cast<sockaddr_in &>(address).sin_port);
}

//! What fits into the socket's buffer; a client that does not read has to do without the rest.
void SendAtOnce(int socket, const std::string &bytes) {
	static_cast<void>(send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

//! To a client whose request is not taken
void SendRefusal(int socket, TlsSession *tls, const HttpFraming &framing) {
	auto body = std::string("{\"error\": \"") + framing.reason + "\"}\n";
	auto text = "HTTP/1.1 " + std::to_string(framing.status) + " Refused\r\nContent-Type: application/json\r\n" +
	            "Content-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
	if (tls) {
		tls->Send(text.data(), text.size());
		tls->End();
		text = tls->TakeOutput();
	}
	SendAtOnce(socket, text);
}

//! The first byte of each record with which a handshake begins
constexpr char TLS_HANDSHAKE = 0x16;

} // namespace

HttpConnections::~HttpConnections() {
	Stop();
}

void HttpConnections::Start(const std::string &host, uint16_t wanted_port, std::shared_ptr<const TlsContext> tls_p,
                            Serve serve_p) {
	serve = std::move(serve_p);
	tls = std::move(tls_p);
	listening = ListenAt(host, wanted_port);
	port = PortOf(listening);
	wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	{
		MutexLock guard(lock);
		for (uint32_t i = 0; i < limits::HTTP_THREADS; i++) {
			AddThread();
		}
	}
	watch = std::thread([this] { Watch(); });
}

void HttpConnections::Stop() {
	std::vector<std::thread> ending;
	{
		MutexLock guard(lock);
		if (!watch.joinable()) {
			return;
		}
		stopping = true;
		for (auto &connection : answering) {
			shutdown(connection.socket, SHUT_RDWR);
		}
		ending.swap(threads);
		changed.NotifyAll();
	}
	Wake();
	watch.join();
	for (auto &thread : ending) {
		// what a handler does may end the database, and with it the server
		if (thread.get_id() == std::this_thread::get_id()) {
			thread.detach();
		} else {
			thread.join();
		}
	}
	serve = nullptr;
	CloseAll(waiting);
	MutexLock guard(lock);
	CloseAll(requested);
	CloseAll(returned);
	close(listening);
	close(wake);
}

void HttpConnections::CloseAll(Connections &connections) {
	for (auto &connection : connections) {
		close(connection.socket);
	}
	connections.clear();
}

void HttpConnections::Wake() {
	uint64_t one = 1;
	static_cast<void>(write(wake, &one, sizeof(one)));
}

void HttpConnections::Watch() {
	std::vector<pollfd> sockets;
	std::vector<Connections::iterator> polled;
	while (true) {
		{
			MutexLock guard(lock);
			if (stopping) {
				return;
			}
		}
		TakeReturned();
		sockets = {{listening, POLLIN, 0}, {wake, POLLIN, 0}};
		polled.clear();
		for (auto connection = waiting.begin(); connection != waiting.end(); ++connection) {
			sockets.push_back({connection->socket, POLLIN, 0});
			polled.push_back(connection);
		}
		// those that are late are looked for once per second
		poll(sockets.data(), sockets.size(), 1000);
		uint64_t wakes = 0;
		static_cast<void>(read(wake, &wakes, sizeof(wakes)));
		for (size_t i = 0; i < polled.size(); i++) {
			if (sockets[i + 2].revents != 0 && !(Receive(*polled[i]) && Dispatch(polled[i]))) {
				Close(polled[i]);
			}
		}
		if (sockets[0].revents != 0) {
			Accept();
		}
		CloseLate();
	}
}

void HttpConnections::Accept() {
	while (true) {
		sockaddr_storage address {};
		socklen_t length = sizeof(address);
		auto socket = accept4(listening, reinterpret_cast<sockaddr *>(&address), &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (socket < 0) {
			// nothing more is there, or there are too many open files: then the longest silent one makes room
			if ((errno == EMFILE || errno == ENFILE) && !waiting.empty()) {
				Close(waiting.begin());
			}
			return;
		}
		if (waiting.size() >= limits::HTTP_CONNECTIONS_MAX) {
			Close(waiting.begin());
		}
		int enable = 1;
		setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &enable, sizeof(enable));
		Connection connection;
		connection.socket = socket;
		connection.peer = AddressOf(address);
		connection.heard = clock.NowMs();
		if (tls) {
			connection.tls = tls->Accept();
		}
		waiting.push_back(std::move(connection));
	}
}

bool HttpConnections::Receive(Connection &connection) {
	char buffer[READ_BYTES];
	auto count = recv(connection.socket, buffer, sizeof(buffer), 0);
	if (count <= 0) {
		return count < 0 && (errno == EAGAIN || errno == EINTR);
	}
	connection.heard = clock.NowMs();
	if (connection.received.empty()) {
		connection.request_began = connection.heard;
	}
	auto before = connection.received.size();
	auto goes_on = true;
	if (connection.tls) {
		goes_on = Decrypt(connection, buffer, static_cast<size_t>(count));
	} else {
		connection.received.append(buffer, static_cast<size_t>(count));
	}
	received_bytes += connection.received.size() - before;
	return goes_on && received_bytes <= limits::HTTP_RECEIVED_BYTES_MAX;
}

bool HttpConnections::Decrypt(Connection &connection, const char *bytes, size_t size) {
	auto &session = *connection.tls;
	if (!connection.speaks_tls && bytes[0] != TLS_HANDSHAKE) {
		SendRefusal(connection.socket, nullptr, {HttpFraming::State::REFUSED, 0, 400, "This port speaks TLS: https"});
		return false;
	}
	connection.speaks_tls = true;
	auto goes_on = session.Receive(bytes, size, connection.received);
	SendAtOnce(connection.socket, session.TakeOutput());
	return goes_on;
}

bool HttpConnections::Dispatch(Connections::iterator connection) {
	auto framing = FrameRequest(connection->received);
	if (framing.state == HttpFraming::State::REFUSED) {
		SendRefusal(connection->socket, connection->tls.get(), framing);
		return false;
	}
	if (framing.state == HttpFraming::State::INCOMPLETE) {
		return true;
	}
	received_bytes -= connection->received.size();
	MutexLock guard(lock);
	requested.splice(requested.end(), waiting, connection);
	changed.NotifyOne();
	return true;
}

void HttpConnections::TakeReturned() {
	Connections back;
	{
		MutexLock guard(lock);
		back.swap(returned);
	}
	while (!back.empty()) {
		auto connection = back.begin();
		connection->heard = clock.NowMs();
		connection->request_began = connection->heard;
		received_bytes += connection->received.size();
		waiting.splice(waiting.end(), back, connection);
		// a client may have sent its next request with the last one
		if (!connection->received.empty() && !Dispatch(connection)) {
			Close(connection);
		}
	}
}

void HttpConnections::CloseLate() {
	auto now = clock.NowMs();
	for (auto connection = waiting.begin(); connection != waiting.end();) {
		auto late = connection->received.empty() ? now - connection->heard >= limits::HTTP_IDLE_MS
		                                         : now - connection->request_began >= limits::HTTP_REQUEST_MS;
		auto next = std::next(connection);
		if (late) {
			Close(connection);
		}
		connection = next;
	}
}

void HttpConnections::Close(Connections::iterator connection) {
	received_bytes -= connection->received.size();
	close(connection->socket);
	waiting.erase(connection);
}

void HttpConnections::AddThread() {
	threads.emplace_back([this] { Work(); });
}

void HttpConnections::Work() {
	auto answer = serve;
	MutexLock guard(lock);
	while (true) {
		changed.Wait(guard, [&]() REQUIRES(lock) { return stopping || !requested.empty(); });
		if (stopping) {
			return;
		}
		auto connection = requested.begin();
		answering.splice(answering.end(), requested, connection);
		HttpCall call;
		call.socket = connection->socket;
		call.peer = connection->peer;
		call.tls = connection->tls.get();
		auto bytes = FrameRequest(connection->received).bytes;
		call.message = connection->received.substr(0, bytes);
		connection->received.erase(0, bytes);
		guard.Unlock();
		auto stays = answer(call);
		guard.Lock();
		if (stays && !stopping) {
			returned.splice(returned.end(), answering, connection);
			Wake();
		} else {
			if (call.tls) {
				call.tls->End();
				SendAtOnce(connection->socket, call.tls->TakeOutput());
			}
			close(connection->socket);
			answering.erase(connection);
		}
	}
}

bool HttpConnections::BeginStream() {
	MutexLock guard(lock);
	if (stopping || streams >= limits::HTTP_STREAMS_MAX) {
		return false;
	}
	streams++;
	// threads stay: there may be as many streams again
	if (threads.size() < limits::HTTP_THREADS + streams) {
		AddThread();
	}
	return true;
}

void HttpConnections::EndStream() {
	MutexLock guard(lock);
	streams--;
}

} // namespace duckherder
