#pragma once

#include "duckdb.hpp"
#include "duckdb/common/serializer/serializer.hpp"

#include <functional>
#include <string>

namespace duckherder {

//! The bytes of one object in DuckDB's own serialization, which `write` fills. Both ends run the same version, so
//! nothing is left out for older readers. Throws what `write` throws.
std::string Serialized(const std::function<void(duckdb::Serializer &)> &write);

} // namespace duckherder
