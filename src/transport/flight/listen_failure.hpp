#pragma once

#include <cstdint>
#include <string>

namespace duckherder {

//! Why gRPC, which does not tell, could not listen there. Tries the address itself; if that works, it was something
//! else than the address, and the text is empty.
std::string WhyNoListening(const std::string &host, uint16_t port);

} // namespace duckherder
