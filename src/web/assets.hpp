#pragma once

#include <map>
#include <string>
#include <string_view>

namespace duckherder {

//! The files of the pages by name, as they were when this was built; cmake/EmbedFiles.cmake makes it.
const std::map<std::string, std::string_view> &Assets();

} // namespace duckherder
