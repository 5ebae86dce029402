#pragma once

#include "planner/interface/clustered_scan.hpp"
#include "planner/interface/planner_options.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

#include <memory>

namespace duckherder {

// Files are mostly written in the order of something: their row groups then have values of a column that no other row
// group has, but for those that share a value with their neighbours. A scan of such a file that is cut where no value
// is shared brings equal values together without moving a row, and two scans that are cut by the same ranges of a key
// can be joined by it where they are.

//! What footers say of those of the candidates by which the scan can be cut into tasks of about the same size, by each
//! of them and by all at once; null if there are none. Reads only what is known of files that are open. Only for one
//! Parquet file, and columns of types with HasKeyOrder without NULL, whose bounds can be relied on.
std::shared_ptr<const ClusteredScan> FindClusters(duckdb::ClientContext &context, duckdb::LogicalGet &get,
                                                  const duckdb::vector<duckdb::idx_t> &candidates,
                                                  const PlannerOptions &options);

//! The row groups before which the scan may be cut, so that rows with equal values in any of these columns stay
//! together.
duckdb::vector<duckdb::idx_t> BordersBetweenValues(const ClusteredScan &scan,
                                                   const duckdb::vector<duckdb::idx_t> &columns);

//! The first row groups of at most `pieces` pieces of about the same size, the first of which is 0; all others are
//! among `borders`, which are in order.
duckdb::vector<duckdb::idx_t> CutAtBorders(const duckdb::vector<RowGroupInfo> &row_groups,
                                           const duckdb::vector<duckdb::idx_t> &borders, duckdb::idx_t pieces);

//! The largest number of pieces, from `least` to `most`, that are of about the same size if cut so; 0: none is.
duckdb::idx_t BalancedPieces(const duckdb::vector<RowGroupInfo> &row_groups,
                             const duckdb::vector<duckdb::idx_t> &borders, duckdb::idx_t least, duckdb::idx_t most);

//! What one task reads of scans that are cut by the same ranges of a key.
struct KeyPiece {
	//! Both inclusive
	int64_t first_key;
	int64_t last_key;
	struct Part {
		//! Row groups, half-open; none if the two are equal
		duckdb::idx_t first_group = 0;
		duckdb::idx_t end_group = 0;
		//! Some of them have other keys, too.
		bool has_others = false;
	};
	//! One for each scan
	duckdb::vector<Part> parts;
};

//! One of several scans that are to be cut by the same ranges of a key
struct KeyedScan {
	std::shared_ptr<const ClusteredScan> scan;
	//! The column with the key
	duckdb::idx_t column;
};

//! The largest number of ranges, from `least` to `most`, into which the scans can be cut where row groups of the first
//! one end, so that all have about as much to read of all scans, and few rows are read twice. Empty if there is none.
//! Row groups with keys of two ranges are read by both, each of which takes its own.
duckdb::vector<KeyPiece> CutByKey(const duckdb::vector<KeyedScan> &scans, duckdb::idx_t least, duckdb::idx_t most);

} // namespace duckherder
