#pragma once

#include "planner/interface/planner_options.hpp"

#include "duckdb.hpp"
#include "duckdb/planner/logical_operator.hpp"

namespace duckherder {

//! What is known of where a query should run before DuckDB has optimized it.
struct EarlyDecision {
	enum class Where {
		SESSION, //! one machine is clearly better
		LATER,   //! the optimized plan has to be looked at; what DuckDB would do on one node alone is not in it
		WORKERS  //! workers are better; on one node DuckDB would read the scans in another way
	};
	Where where = Where::LATER;
	//! Of SESSION
	duckdb::string reason;
};

//! Why a query stays in the session that is done there before a stage has begun, whoever the workers are; empty if it
//! takes longer. `options.machines` must be set, as for the next one.
duckdb::string WhyDoneAtOnce(duckdb::ClientContext &context, duckdb::LogicalOperator &plan,
                             const PlannerOptions &options);

//! Decides by the workers that are there now, of a query that WhyDoneAtOnce has let pass. DuckDB's optimizer has
//! rewrites that only make sense on one node, and that cannot be taken back. So a plan that they could change is
//! decided here for good.
EarlyDecision DecideEarly(duckdb::ClientContext &context, duckdb::LogicalOperator &plan, const PlannerOptions &options);

//! Whether workers may write the rows of a statement into files. That spares the session more than time.
bool MayWriteFiles(duckdb::ClientContext &context, duckdb::LogicalOperator &plan, const PlannerOptions &options);

//! Whether a scan reads a table of a lake.
bool ReadsLake(duckdb::LogicalOperator &plan);

//! Whether DuckDB's optimizer could find the rows of a scan by their numbers later on, or read row groups in the order
//! of a column. Says so too often rather than too rarely.
bool HasRewritesForOneNode(duckdb::LogicalOperator &plan);

} // namespace duckherder
