#pragma once

#include "plan/pipeline_task.hpp"

#include "duckdb.hpp"
#include "duckdb/parser/statement/select_statement.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

namespace duckherder {

//! Writes the SQL of single tasks for people to read, from the parsed statement. Plans travel, not this text.
class TaskSqlWriter {
public:
	//! `base_sql`: the user's statement. What cannot be expressed for one task gives empty strings.
	explicit TaskSqlWriter(const duckdb::string &base_sql);

	//! `get`: the scan that is split
	duckdb::string Write(const ScanSplit &split, const duckdb::LogicalGet &get) const;

private:
	//! Null unless the statement is a SELECT over exactly one table
	duckdb::unique_ptr<duckdb::SelectStatement> statement;
};

} // namespace duckherder
