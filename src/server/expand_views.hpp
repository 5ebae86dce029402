#pragma once

#include "duckdb.hpp"
#include "duckdb/planner/logical_operator.hpp"

namespace duckherder {

//! Puts the plans of views in the place of the scans (codec/view_scan) that a client's plan has for them. A transaction
//! must be active. What the view's text reads is checked first, by the role of the context's client. Throws what
//! binding throws, and TransactionException if a view has other columns than the client saw.
void ExpandViews(duckdb::ClientContext &context, duckdb::unique_ptr<duckdb::LogicalOperator> &plan);

} // namespace duckherder
