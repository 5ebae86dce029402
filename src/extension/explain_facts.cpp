#include "extension/explain_facts.hpp"

#include <cstdio>

namespace duckherder {

std::string MillisecondsText(uint64_t duration_us) {
	char text[32];
	if (duration_us < 10'000'000) {
		std::snprintf(text, sizeof(text), "%.1f ms", static_cast<double>(duration_us) / 1e3);
	} else {
		std::snprintf(text, sizeof(text), "%.1f s", static_cast<double>(duration_us) / 1e6);
	}
	return text;
}

} // namespace duckherder
