#pragma once

#include "planner/interface/distributed_plan.hpp"

namespace duckherder {

//! A join key whose values one side knows when its stage is done, and the scan on the other side that can skip rows by
//! them: dynamic filters across stages.
struct KeyFilterCandidate {
	//! The stage that has the values
	StageId source = 0;
	//! Among the columns that it makes
	uint32_t source_column = 0;
	//! Part of the plan, and then of a stage
	duckdb::LogicalGet *target = nullptr;
	//! Among the scan's column ids
	duckdb::idx_t target_column = 0;
	//! No exchange lies between the join and the scan
	bool same_stage = false;
};

//! Looks for them in a plan with exchanges. Only where a row without a partner is of no use to anybody above, where
//! something below the source may leave rows out, and where the target is not estimated to be the smaller one.
duckdb::vector<KeyFilterCandidate> FindKeyFilters(duckdb::LogicalOperator &plan);

//! Notes in the stages who collects keys, who waits for them and who filters by them. It needs the stages of the plan
//! in which the candidates were found, with all other stages that they have to wait for. Leaves out what would make
//! stages wait in a circle, what DuckDB does within a task anyway, and sources that would not make the same rows again.
void ConnectKeyFilters(const duckdb::vector<KeyFilterCandidate> &candidates, duckdb::vector<StagePlan> &stages);

} // namespace duckherder
