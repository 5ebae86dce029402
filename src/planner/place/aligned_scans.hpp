#pragma once

#include "planner/interface/clustered_scan.hpp"
#include "planner/interface/planner_options.hpp"
#include "planner/place/partitioning.hpp"

#include "duckdb.hpp"

namespace duckherder {

//! What the operators of a plan rely on: how its scans are cut.
struct InPlaceScans {
	//! A scan is cut between the values of these columns.
	ScanColumns columns;
	//! Scans that are cut by the same ranges of a key, by their table index. Each has one column in `columns`, which is
	//! that key. The first one has the most rows.
	duckdb::vector<duckdb::vector<duckdb::idx_t>> aligned;

	//! Those that are cut together with a scan, with itself; empty if it stands alone
	duckdb::vector<duckdb::idx_t> AlignedWith(duckdb::idx_t table_index) const;
	void CutBy(const Partitioning::Clustered &column);
};

//! Lets the scans of both columns be cut by the same ranges, together with those that they are aligned with already, so
//! that rows which are equal in the two columns are in the same task. Returns false, and changes nothing, if one of
//! them has to be cut by another column, too, or if there is no number of tasks for which that is worth it.
bool Align(InPlaceScans &scans, const ClusteredScans &clustered, const Partitioning::Clustered &left,
           const Partitioning::Clustered &right, const PlannerOptions &options);

} // namespace duckherder
