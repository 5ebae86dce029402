#pragma once

#include <cstdint>
#include <string>

namespace duckherder {

//! Why nobody could listen there, which gRPC does not tell. Tries the address itself; if that works, it was something
//! else than the address, and the text is empty.
std::string WhyNoListening(const std::string &host, uint16_t port);

//! Whether only this machine reaches who listens there
bool IsLoopback(const std::string &host);

} // namespace duckherder
