#include "transport/flight/arrow_version.hpp"

#include <arrow/config.h>

namespace duckherder {

std::string ArrowVersion() {
	return arrow::GetBuildInfo().version_string;
}

} // namespace duckherder
