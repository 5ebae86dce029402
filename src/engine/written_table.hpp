#pragma once

#include "duckdb.hpp"
#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/planner/expression.hpp"
#include "duckdb/planner/logical_operator.hpp"

#include <functional>

namespace duckherder {

//! The table whose rows the operator itself changes; null if it changes none
duckdb::optional_ptr<duckdb::TableCatalogEntry> WrittenTableOf(duckdb::LogicalOperator &op);

//! Each default that the operator was bound with, for what the statement leaves out. DuckDB's own visitors do not see
//! them.
void VisitDefaults(duckdb::LogicalOperator &op,
                   const std::function<void(duckdb::unique_ptr<duckdb::Expression> &)> &visit);

} // namespace duckherder
