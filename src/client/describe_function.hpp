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
	result.categories.push_back("duckherder");
	return result;
}

} // namespace duckherder
