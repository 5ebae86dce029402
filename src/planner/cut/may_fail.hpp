#pragma once

#include "duckdb/planner/expression.hpp"

namespace duckherder {

//! Some row may make it fail. DuckDB's own CanThrow believes that a cast to a larger type cannot, even if there is no
//! such cast.
bool MayFail(const duckdb::Expression &expression);

} // namespace duckherder
