#pragma once

#include "duckdb.hpp"

#include <arrow/type_fwd.h>

namespace duckherder {

//! Puts rows [row, row + count) of an array that ColumnEncoder made into a flat vector of the same type, which has
//! memory for `count` rows. Values of fixed width and strings are not copied: the vector points into the array.
//! The array must have been validated, which leaves inner offsets and values open: IOException. Stateless.
void DecodeColumn(const arrow::ArrayData &array, duckdb::idx_t row, duckdb::idx_t count, duckdb::Vector &target);

} // namespace duckherder
