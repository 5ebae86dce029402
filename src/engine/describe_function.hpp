#pragma once

#include "duckdb.hpp"
#include "duckdb/parser/parsed_data/create_function_info.hpp"

namespace duckherder {

//! What duckdb_functions() shows of one overload
inline duckdb::FunctionDescription Describe(duckdb::vector<duckdb::LogicalType> types,
                                            duckdb::vector<duckdb::string> names, const duckdb::string &description,
                                            const duckdb::string &example = duckdb::string()) {
	duckdb::FunctionDescription result;
	result.parameter_types = std::move(types);
	result.parameter_names = std::move(names);
	result.description = description;
	if (!example.empty()) {
		result.examples.push_back(example);
	}
	result.categories.emplace_back("duckherder");
	return result;
}

//! Of functions that plans call and people do not
inline duckdb::FunctionDescription DescribeInternal() {
	duckdb::FunctionDescription result;
	result.description = "Internal: part of the plans that travel between nodes, not to be called";
	result.categories.emplace_back("duckherder internal");
	return result;
}

} // namespace duckherder
