#pragma once

#include "compat/names.hpp"

#include "duckdb/planner/operator/logical_get.hpp"
#include "duckdb/planner/table_filter.hpp"

#include <functional>
#include <optional>

//! The filters of scans. In 2.0 each is an expression, and belongs to a position in the scan's list of columns.

namespace duckherder {

//! The column compared with a constant
duckdb::unique_ptr<duckdb::TableFilter> CompareFilter(duckdb::ExpressionType comparison, duckdb::Value constant);

//! For the statistics of row groups only: the column may have one of the values, of its type
duckdb::unique_ptr<duckdb::TableFilter> MayBeOneOfFilter(const duckdb::LogicalType &type,
                                                         duckdb::vector<duckdb::Value> values);

//! `position`: of the column, in get.GetColumnIds()
void PushFilter(duckdb::LogicalGet &get, duckdb::idx_t position, duckdb::unique_ptr<duckdb::TableFilter> filter);

duckdb::unique_ptr<duckdb::TableFilter> CopyFilter(const duckdb::TableFilter &filter);

void CopyFilters(const duckdb::TableFilterSet &filters, duckdb::TableFilterSet &target);

bool HasFilters(const duckdb::TableFilterSet &filters);

duckdb::idx_t FilterCount(const duckdb::TableFilterSet &filters);

//! As DuckDB's physical scan has them: by the position of the column among those that are read
duckdb::TableFilterSet FiltersByPosition(const duckdb::LogicalGet &get);

//! The column of a filter with this key, if it has one
std::optional<duckdb::ColumnIndex> FilteredColumn(const duckdb::LogicalGet &get, duckdb::idx_t key);

//! Whether a column with these statistics has no value that the filter lets pass
bool IsNeverTrue(const duckdb::TableFilter &filter, duckdb::BaseStatistics &statistics);

//! `key` is what the set knows the column by: in 1.5 its number in the table, in 2.0 its position in the scan
void ForEachFilter(const duckdb::TableFilterSet &filters,
                   const std::function<void(duckdb::idx_t key, duckdb::TableFilter &filter)> &visit);

//! Takes those out whose values become known while another operator of the same process runs
void RemoveDynamicFilters(duckdb::TableFilterSet &filters);

//! What the filter is an expression of
void VisitFilterExpressions(duckdb::TableFilter &filter, const std::function<void(duckdb::Expression &)> &visit);

//! Without the Bloom filters at the positions `below_cast`, where 1.5 cannot apply any: each only saves a join rows.
//! Nothing if all filters can stay.
std::optional<duckdb::TableFilterSet>
ApplicableBelowCasts(const duckdb::TableFilterSet &filters,
                     const std::function<bool(duckdb::idx_t position)> &below_cast);

} // namespace duckherder
