#pragma once

#include "compat/names.hpp"
#include "planner/interface/distributed_plan.hpp"

#include "duckdb/planner/column_binding_map.hpp"

namespace duckherder {

//! What people call the columns of a plan: a name, or the expression that makes the column. DuckDB's plan has numbers
//! in many places, because its optimizer puts operators between those that the query names.
class ColumnNames {
public:
	//! Learns the names of all columns of `op` and below it. The stages that it reads come before it.
	void Learn(duckdb::LogicalOperator &op, const DistributedPlan *plan);
	//! Of a stage, with what the session does for its scans
	void Learn(const DistributedPlan &plan, const StagePlan &stage);

	//! Empty if the column has none
	duckdb::string Of(const duckdb::ColumnBinding &binding) const;
	//! The expression as text with these names
	duckdb::string Of(const duckdb::Expression &expression) const;
	//! Of the columns that the fragment of a stage puts out: "#3" if there is no name
	duckdb::string OfOutput(const StagePlan &stage, duckdb::idx_t column) const;

private:
	void GiveNames(duckdb::Expression &expression) const;
	void Add(duckdb::TableIndex table_index, const duckdb::vector<duckdb::unique_ptr<duckdb::Expression>> &expressions);
	void LearnScan(duckdb::LogicalGet &get);
	void LearnOperator(duckdb::LogicalOperator &op);
	void LearnRenamed(const duckdb::vector<duckdb::ColumnBinding> &bindings,
	                  const duckdb::vector<duckdb::ColumnBinding> &sources);

	duckdb::column_binding_map_t<duckdb::string> names;
};

} // namespace duckherder
