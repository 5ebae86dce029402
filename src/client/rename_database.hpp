#pragma once

#include "duckdb/parser/parsed_data/parse_info.hpp"
#include "duckdb/parser/parsed_expression.hpp"
#include "duckdb/parser/query_node.hpp"
#include "duckdb/parser/tableref.hpp"

#include <functional>
#include <string>

namespace duckherder {

//! A database is called one name by its driver and another by each client. Definitions contain that name in the queries
//! of views and macros, and in the defaults of columns: this renames it there.
class DatabaseRename {
public:
	//! `has_schema`: whether the database has a schema of this name, which then is what a name in front of a dot means
	DatabaseRename(std::string from, std::string to, std::function<bool(const std::string &)> has_schema);

	//! Others than CREATE and ALTER stay as they are
	void Apply(duckdb::ParseInfo &definition) const;

private:
	void Apply(duckdb::QueryNode &node) const;
	void Apply(duckdb::TableRef &ref) const;
	void Apply(duckdb::ParsedExpression &expression) const;
	void Rename(duckdb::string &catalog, duckdb::string &schema) const;
	bool IsOurs(const std::string &name) const;

	const std::string from;
	const std::string to;
	const std::function<bool(const std::string &)> has_schema;
};

} // namespace duckherder
