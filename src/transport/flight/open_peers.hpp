#pragma once

#include <set>
#include <string>

namespace duckherder {

//! The other ends of all TCP connections of this process that are open now, written as gRPC writes a peer:
//! "ipv4:127.0.0.1:4711", "ipv6:%5B::1%5D:4711". gRPC tells a server of its calls, but not of its connections: this is
//! how it can know that a client without a running call has gone. Connections are asked for signs of life from now on
//! (TCP keepalive, within FLIGHT_SQL_PROBE_SECONDS), so that those of a machine that vanished are closed too.
//! Thread-safe; a look costs some microseconds per open file.
std::set<std::string> OpenPeers();

} // namespace duckherder
