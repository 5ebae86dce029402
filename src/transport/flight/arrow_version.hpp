#pragma once

#include <string>

namespace duckherder {

//! Of the Arrow library that this process has loaded
std::string ArrowVersion();

} // namespace duckherder
