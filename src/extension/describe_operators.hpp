#pragma once

#include "extension/column_names.hpp"
#include "extension/explain_facts.hpp"

namespace duckherder {

//! The operators of a stage, from its output down, one behind the other as they are shown; `names` knows the columns of
//! all stages.
std::vector<OperatorFacts> DescribeFragment(const StagePlan &stage, const ColumnNames &names);

//! What the session does in a plan that reads gathers; all of it if it reads none.
std::vector<OperatorFacts> DescribeSession(duckdb::LogicalOperator &root, const ColumnNames &names);

} // namespace duckherder
