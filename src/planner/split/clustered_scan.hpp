#pragma once

#include "planner/interface/planner_options.hpp"
#include "planner/split/partition_information.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

#include <map>

namespace duckherder {

// Files are mostly written in the order of something: their row groups then have values of a column that no other row
// group has, but for those that share a value with their neighbours. A scan of such a file that is cut where no value
// is shared brings equal values together without moving a row.

//! Columns of scans, as numbers among the columns that the function returns, by the scan's table index
using ScanColumns = std::map<duckdb::idx_t, duckdb::vector<duckdb::idx_t>>;

//! Those of the candidates by which the scan can be cut into tasks of about the same size, by all of them at once.
//! Reads only what is known of files that are open. Only for one Parquet file, and columns of integers, dates,
//! timestamps and decimals without NULL, whose bounds can be relied on.
duckdb::vector<duckdb::idx_t> ClusteredColumnsOf(duckdb::ClientContext &context, duckdb::LogicalGet &get,
                                                 const duckdb::vector<duckdb::idx_t> &candidates,
                                                 const PlannerOptions &options);

//! The row groups (as in PartitionInformation) before which the scan may be cut, so that rows with equal values in any
//! of these columns stay together. Throws an IOException if it is not known any more.
duckdb::vector<duckdb::idx_t> BordersBetweenValues(duckdb::ClientContext &context, duckdb::LogicalGet &get,
                                                   const duckdb::vector<duckdb::idx_t> &columns);

//! The first row groups of at most `pieces` pieces of about the same size, the first of which is 0; all others are
//! among `borders`, which are in order.
duckdb::vector<duckdb::idx_t> CutAtBorders(const duckdb::vector<RowGroupInfo> &row_groups,
                                           const duckdb::vector<duckdb::idx_t> &borders, duckdb::idx_t pieces);

//! The largest number of pieces, from `least` to `most`, that are of about the same size if cut so; 0: none is.
duckdb::idx_t BalancedPieces(const duckdb::vector<RowGroupInfo> &row_groups,
                             const duckdb::vector<duckdb::idx_t> &borders, duckdb::idx_t least, duckdb::idx_t most);

} // namespace duckherder
