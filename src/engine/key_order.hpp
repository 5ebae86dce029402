#pragma once

#include "plan/scan_split.hpp"

#include "duckdb.hpp"

#include <cstdint>
#include <utility>

namespace duckherder {

// Keys by which files are sorted, as integers in the order in which DuckDB compares the values.

//! Whether the values of a type are such keys, and between the bounds that a footer has of them lie all values. Bounds
//! of strings may be cut off, those of floats do not know NaN.
bool HasKeyOrder(const duckdb::LogicalType &type);

//! Of a value that is not NULL, and of a type for which HasKeyOrder is true
int64_t KeyOf(const duckdb::Value &value);

//! The value of this type that has this key, which must be that of some value
duckdb::Value KeyValue(const duckdb::LogicalType &type, int64_t key);

//! What a key in this range is compared with, and how; nothing if all values of the type are in it
duckdb::vector<std::pair<duckdb::ExpressionType, duckdb::Value>> ComparisonsOf(const KeyRange &keys,
                                                                               const duckdb::LogicalType &type);

} // namespace duckherder
