#pragma once

#include <cstdint>
#include <netdb.h>
#include <string>

namespace duckherder {

//! A socket that listens there and does not block, for the caller to close; negative with errno if it cannot.
int OpenListeningSocket(const addrinfo &address, int backlog);

//! Why nobody could listen there, which gRPC does not tell. Tries the address itself; if that works, it was something
//! else than the address, and the text is empty.
std::string WhyNoListening(const std::string &host, uint16_t port);

//! Whether only this machine reaches who listens there
bool IsLoopback(const std::string &host);

} // namespace duckherder
