#pragma once

#include <algorithm>

namespace duckherder {

//! Whether a container without a look-up of its own has a value; any thread may call it, as far as the container lets.
template <class VALUES, class T>
bool Contains(const VALUES &values, const T &value) {
	return std::find(values.begin(), values.end(), value) != values.end();
}

} // namespace duckherder
