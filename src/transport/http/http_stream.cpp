#include "transport/http/http_stream.hpp"

#include "common/limits.hpp"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>

namespace duckherder {

namespace {

bool AwaitWritable(int socket) {
	pollfd waiting {socket, POLLOUT, 0};
	auto ready = poll(&waiting, 1, static_cast<int>(limits::HTTP_WRITE_MS));
	return ready > 0 && (waiting.revents & POLLOUT) != 0;
}

} // namespace

HttpStream::HttpStream(HttpCall &call_p) : call(call_p) {
}

bool HttpStream::is_readable() const {
	return read_bytes < call.message.size();
}

bool HttpStream::wait_readable() const {
	return is_readable();
}

bool HttpStream::wait_writable() const {
	return usable && AwaitWritable(call.socket);
}

ssize_t HttpStream::read(char *target, size_t size) {
	auto count = std::min(size, call.message.size() - read_bytes);
	std::copy_n(call.message.data() + read_bytes, count, target);
	read_bytes += count;
	return static_cast<ssize_t>(count);
}

ssize_t HttpStream::write(const char *data, size_t size) {
	if (!call.tls) {
		return WriteAll(data, size) ? static_cast<ssize_t>(size) : -1;
	}
	// in pieces, so that the encrypted copy of a large answer is small
	constexpr size_t PIECE_BYTES = 256ULL << 10;
	for (size_t position = 0; usable && position < size; position += PIECE_BYTES) {
		usable = call.tls->Send(data + position, std::min(PIECE_BYTES, size - position));
		auto encrypted = call.tls->TakeOutput();
		usable = WriteAll(encrypted.data(), encrypted.size()) && usable;
	}
	return usable ? static_cast<ssize_t>(size) : -1;
}

bool HttpStream::WriteAll(const char *data, size_t size) {
	size_t written = 0;
	while (usable && written < size) {
		auto count = send(call.socket, data + written, size - written, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (count > 0) {
			written += static_cast<size_t>(count);
		} else if (errno == EAGAIN) {
			usable = AwaitWritable(call.socket);
		} else if (errno != EINTR) {
			usable = false;
		}
	}
	return usable;
}

void HttpStream::get_remote_ip_and_port(std::string &address, int &port) const {
	address = call.peer;
	port = 0;
}

void HttpStream::get_local_ip_and_port(std::string &address, int &port) const {
	address.clear();
	port = 0;
}

socket_t HttpStream::socket() const {
	return call.socket;
}

time_t HttpStream::duration() const {
	return 0;
}

} // namespace duckherder
