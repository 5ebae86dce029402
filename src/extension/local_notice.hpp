#pragma once

#include "duckdb.hpp"
#include "duckdb/planner/logical_operator.hpp"

namespace duckherder {

//! Puts an operator above the plan that passes its rows on and shows in EXPLAIN why the query stays in the session.
duckdb::unique_ptr<duckdb::LogicalOperator> WithLocalNotice(duckdb::unique_ptr<duckdb::LogicalOperator> plan,
                                                            const duckdb::string &reason);

} // namespace duckherder
