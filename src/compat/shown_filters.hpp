#pragma once

#include "compat/filters.hpp"

#include <string>

//! Filters of scans of ours: which of them a plan for another process has to have, and how they are shown

namespace duckherder {

//! Null if it only saves work, as a filter that depends on a join that runs here
duckdb::unique_ptr<duckdb::TableFilter> NeededPartOf(const duckdb::TableFilter &filter);

std::string FilterText(const duckdb::TableFilter &filter, const std::string &column);

} // namespace duckherder
