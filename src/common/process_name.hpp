#pragma once

#include <string>

namespace duckherder {

//! This process, for people: "host:pid"
std::string ProcessName();

} // namespace duckherder
