#pragma once

#include "duckdb.hpp"
#include "duckdb/planner/expression/bound_aggregate_expression.hpp"

namespace duckherder {

//! Aggregates whose state is plain memory (no pointers, no destructor) can be finished somewhere else: the partial form
//! gives the state's bytes as a BLOB, the final form combines such states with the function's own combine. So an AVG,
//! DECIMAL or not, or a STDDEV is exactly what DuckDB's own parallel aggregation computes. Both ends run the same
//! DuckDB version (checked at registration), so the layout is the same.
//! Not DuckDB's EXPORT_STATE: that refuses functions with bind data.

constexpr const char *PARTIAL_AGGREGATE_NAME = "duckherder_partial_aggregate";
constexpr const char *FINAL_AGGREGATE_NAME = "duckherder_final_aggregate";

//! Whether the state of this bound aggregate may travel as bytes; decided by function, not by column names.
bool HasPlainState(const duckdb::BoundAggregateExpression &aggregate);

//! The aggregate as it runs on the rows: same arguments and FILTER, returns the state as BLOB.
duckdb::unique_ptr<duckdb::BoundAggregateExpression> MakePartial(const duckdb::BoundAggregateExpression &aggregate);

//! The aggregate over states: `state` is an expression of type BLOB; returns what the original returns.
duckdb::unique_ptr<duckdb::BoundAggregateExpression> MakeFinal(const duckdb::BoundAggregateExpression &aggregate,
                                                               duckdb::unique_ptr<duckdb::Expression> state);

//! The name of the function that one of both forms computes, or of the function itself if it is neither.
duckdb::string OriginalName(const duckdb::BoundAggregateExpression &aggregate);

//! Registers both forms, so that fragments which contain them can be deserialized. Users cannot bind them.
void RegisterAggregateStateFunctions(duckdb::DatabaseInstance &db);

} // namespace duckherder
