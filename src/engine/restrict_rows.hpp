#pragma once

#include "plan/scan_split.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

namespace duckherder {

//! Whether a scan reads this column
bool ScansColumn(const duckdb::LogicalGet &get, duckdb::column_t column);

//! Lets a scan deliver only the rows of its split, by filters on the virtual column `row_number`, which skip row groups
//! by their borders before they look at rows. What the scan delivers keeps its columns. The types of the operators
//! above are to be resolved again. Kinds of split that do not choose among the rows of a scan leave it as it is.
void RestrictRows(duckdb::ClientContext &context, duckdb::LogicalGet &get, duckdb::column_t row_number,
                  const ScanSplit &split);

//! Lets a scan deliver only rows with a key in this range, by filters on the column, which the scan reads and which has
//! no NULL. They skip row groups by their bounds first. Throws an InternalException if the scan does not read it.
void RestrictKeys(duckdb::LogicalGet &get, const KeyRange &keys);

} // namespace duckherder
