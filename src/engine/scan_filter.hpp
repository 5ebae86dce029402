#pragma once

#include "engine/key_set.hpp"

#include "duckdb/planner/operator/logical_get.hpp"

#include <atomic>
#include <memory>

namespace duckherder {

//! Lets a scan leave out rows whose column cannot be in `keys`: by the range and the few values, which skip row groups
//! and files by their statistics, and by looking up each row that is left. `column`: its position among the scan's
//! column ids. Adds the rows left out one by one to `pruned`, which outlives the scan through the filter. A filter that
//! lets nearly all rows pass stops looking after a while.
//! A column that is no plain one of the table (row numbers, parts of structs, another type than that of the keys) is
//! left as it is. Throws InternalException if the scan has no such column.
void FilterScanByKeys(duckdb::LogicalGet &get, duckdb::idx_t column, std::shared_ptr<const KeySet> keys,
                      std::shared_ptr<std::atomic<uint64_t>> pruned);

} // namespace duckherder
