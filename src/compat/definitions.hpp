#pragma once

#include "compat/statements.hpp"

#include "duckdb/parser/expression/columnref_expression.hpp"
#include "duckdb/parser/expression/function_expression.hpp"
#include "duckdb/parser/parsed_data/create_function_info.hpp"
#include "duckdb/parser/parsed_data/create_index_info.hpp"
#include "duckdb/parser/parsed_data/create_sequence_info.hpp"
#include "duckdb/parser/parsed_data/create_type_info.hpp"
#include "duckdb/parser/parsed_data/create_view_info.hpp"

#include <functional>
#include <string>

//! What CREATE, ALTER and DROP say, and how it is changed. In 2.0 each has one name of all its parts.

namespace duckherder {

#if DUCKHERDER_DUCKDB_MAJOR < 2

inline WrittenName NameOf(const duckdb::CreateViewInfo &info) {
	return {info.catalog, info.schema, info.view_name};
}

inline WrittenName NameOf(const duckdb::CreateIndexInfo &info) {
	return {info.catalog, info.schema, info.index_name};
}

inline WrittenName NameOf(const duckdb::CreateSequenceInfo &info) {
	return {info.catalog, info.schema, info.name};
}

inline WrittenName NameOf(const duckdb::CreateFunctionInfo &info) {
	return {info.catalog, info.schema, info.name};
}

inline WrittenName NameOf(const duckdb::CreateTypeInfo &info) {
	return {info.catalog, info.schema, info.name};
}

//! The database that the CREATE, ALTER or DROP is for
template <class INFO>
void SetCatalog(INFO &info, const std::string &catalog) {
	info.catalog = catalog;
}

//! Where the entry is to be
inline void SetPlace(duckdb::CreateInfo &info, const std::string &catalog, const std::string &schema) {
	info.catalog = catalog;
	info.schema = schema;
}

//! A table without columns yet
inline duckdb::CreateTableInfo NewTable(const WrittenName &name) {
	return duckdb::CreateTableInfo(name.catalog, name.schema, name.name);
}

inline duckdb::vector<duckdb::string> &PartsOf(duckdb::ColumnRefExpression &column) {
	return column.column_names;
}

inline duckdb::unique_ptr<duckdb::FunctionExpression>
NewCall(const WrittenName &name, duckdb::vector<duckdb::unique_ptr<duckdb::ParsedExpression>> arguments) {
	return duckdb::make_uniq<duckdb::FunctionExpression>(name.catalog, name.schema, name.name, std::move(arguments));
}

#else

inline void SetCatalog(duckdb::CreateInfo &info, const std::string &catalog) {
	info.SetCatalog(duckdb::Identifier(catalog));
}

inline void SetCatalog(duckdb::AlterInfo &info, const std::string &catalog) {
	info.SetQualifiedName(info.GetQualifiedName().WithCatalog(duckdb::Identifier(catalog)));
}

void SetCatalog(duckdb::DropInfo &info, const std::string &catalog);

inline void SetPlace(duckdb::CreateInfo &info, const std::string &catalog, const std::string &schema) {
	info.SetQualification(duckdb::Identifier(catalog), duckdb::Identifier(schema));
}

inline duckdb::CreateTableInfo NewTable(const WrittenName &name) {
	return duckdb::CreateTableInfo(duckdb::QualifiedName(
	    duckdb::Identifier(name.catalog), duckdb::Identifier(name.schema), duckdb::Identifier(name.name)));
}

//! What stands between the dots
inline duckdb::vector<duckdb::Identifier> &PartsOf(duckdb::ColumnRefExpression &column) {
	return column.ColumnNamesMutable();
}

//! A call as the parser makes it
inline duckdb::unique_ptr<duckdb::FunctionExpression>
NewCall(const WrittenName &name, duckdb::vector<duckdb::unique_ptr<duckdb::ParsedExpression>> arguments) {
	duckdb::QualifiedName function(duckdb::Identifier(name.catalog), duckdb::Identifier(name.schema),
	                               duckdb::Identifier(name.name));
	return duckdb::make_uniq<duckdb::FunctionExpression>(function, std::move(arguments));
}

#endif

//! Changes the database and the schema that a name says, each of which is empty if it says none
using ChangePlace = std::function<void(std::string &catalog, std::string &schema)>;

void ChangePlaceOf(duckdb::BaseTableRef &table, const ChangePlace &change);
void ChangePlaceOf(duckdb::FunctionExpression &function, const ChangePlace &change);

//! The first argument of a function of sequences is the name of one, as a text: changes what it says, if it is a text
void ChangePlaceOfSequence(duckdb::FunctionExpression &function, const ChangePlace &change);

//! Whether it takes or sets numbers of a sequence that is its first argument
bool IsSequenceFunction(const std::string &name);

} // namespace duckherder
