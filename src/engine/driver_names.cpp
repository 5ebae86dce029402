#include "engine/driver_names.hpp"

namespace duckherder {

static thread_local int wanted = 0;

DriverNames::DriverNames() {
	wanted++;
}

DriverNames::~DriverNames() {
	wanted--;
}

bool DriverNames::Wanted() {
	return wanted > 0;
}

} // namespace duckherder
