#pragma once

#include "duckdb/parser/statement/logical_plan_statement.hpp"

namespace duckherder {

//! A plan that runs as a statement. DuckDB asks for a copy of each statement when a loaded extension (postgres_scanner)
//! may want it to be bound again; its own class has none. A plan is bound already, so the copy gets the plan, and a
//! second binding is an error.
class PlanStatement : public duckdb::LogicalPlanStatement {
public:
	//! `query`: its text, for people
	explicit PlanStatement(duckdb::unique_ptr<duckdb::LogicalOperator> plan, duckdb::string query = "");

	duckdb::unique_ptr<duckdb::SQLStatement> Copy() const override;
	duckdb::string ToString() const override;
};

} // namespace duckherder
