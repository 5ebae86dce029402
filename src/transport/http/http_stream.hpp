#pragma once

#include "transport/http/http_connections.hpp"

#include <httplib.hpp>

namespace duckherder {

//! A request that is there already, and the socket on which its answer goes, for the HTTP library. Used by one thread.
class HttpStream : public duckdb_httplib::Stream {
public:
	explicit HttpStream(HttpCall &call);

	bool is_readable() const override;
	bool wait_readable() const override;
	bool wait_writable() const override;
	ssize_t read(char *target, size_t size) override;
	//! Blocks until the client has taken all, but fails if it takes nothing for HTTP_WRITE_MS.
	ssize_t write(const char *data, size_t size) override;
	void get_remote_ip_and_port(std::string &address, int &port) const override;
	void get_local_ip_and_port(std::string &address, int &port) const override;
	socket_t socket() const override;
	time_t duration() const override;

	//! False once a write has failed
	bool Usable() const {
		return usable;
	}

private:
	//! To the socket, as it is
	bool WriteAll(const char *data, size_t size);

	HttpCall &call;
	size_t read_bytes = 0;
	bool usable = true;
};

} // namespace duckherder
