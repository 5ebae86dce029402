#pragma once

#include "planner/place/logical_exchange.hpp"

#include "duckdb/planner/binder.hpp"

namespace duckherder {

//! References to all columns of an operator whose types are resolved.
duckdb::vector<duckdb::unique_ptr<duckdb::Expression>> ColumnsOf(duckdb::LogicalOperator &op);

//! Puts an exchange of this number above an operator.
void PutExchange(duckdb::unique_ptr<duckdb::LogicalOperator> &op, StageId number, Exchange exchange);

//! Puts an exchange above whose keys are expressions over the operator's columns; what has to be computed for that does
//! not travel.
void PutKeyedExchange(duckdb::Binder &binder, duckdb::unique_ptr<duckdb::LogicalOperator> &op, StageId number,
                      Exchange exchange, const duckdb::vector<duckdb::reference<duckdb::Expression>> &keys);

//! The part of a DISTINCT, sort, top-N or limit that each task can do before all rows are together; null if there is
//! none.
duckdb::unique_ptr<duckdb::LogicalOperator> LocalFormOf(duckdb::LogicalOperator &op);

} // namespace duckherder
