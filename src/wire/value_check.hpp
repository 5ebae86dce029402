#pragma once

#include "duckdb.hpp"

namespace duckherder {

//! DuckDB relies on it that a BOOLEAN is 0 or 1, that an ENUM has a value of each number, that a UNION has a member for
//! its tag, and that a TIME is one of a day: it reads memory by them. Throws IOException if one of the first `count`
//! values of this flat vector, which came from elsewhere, is none of its type. What is NULL is not looked at, nor what
//! is inside of nested vectors.
void CheckValues(duckdb::Vector &vector, duckdb::idx_t count);

} // namespace duckherder
