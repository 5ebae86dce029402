#include "common/process_name.hpp"

#include <unistd.h>

namespace duckherder {

std::string ProcessName() {
	char host[256] = {};
	auto named = gethostname(host, sizeof(host) - 1) == 0;
	return (named ? std::string(host) + ":" : std::string()) + std::to_string(getpid());
}

} // namespace duckherder
