#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace duckherder {

//! How much of a UTF-8 text fits into so many bytes without cutting a character
inline size_t WholeCharacters(const std::string &text, size_t bytes_max) {
	auto length = bytes_max < text.size() ? bytes_max : text.size();
	while (length < text.size() && length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) {
		length--;
	}
	return length;
}

//! For people: "1 worker", "2 workers"
inline std::string Counted(uint64_t count, const std::string &what) {
	return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

} // namespace duckherder
