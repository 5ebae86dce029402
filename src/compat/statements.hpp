#pragma once

#include "compat/names.hpp"

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/catalog/catalog_entry_retriever.hpp"
#include "duckdb/main/database_manager.hpp"
#include "duckdb/main/prepared_statement.hpp"
#include "duckdb/parser/expression/list.hpp"
#include "duckdb/parser/parsed_data/alter_info.hpp"
#include "duckdb/parser/parsed_data/create_info.hpp"
#include "duckdb/parser/parsed_data/create_table_info.hpp"
#include "duckdb/parser/parsed_data/drop_info.hpp"
#include "duckdb/parser/parser.hpp"
#include "duckdb/parser/query_node.hpp"
#include "duckdb/parser/query_node/list.hpp"
#include "duckdb/parser/statement/delete_statement.hpp"
#include "duckdb/parser/statement/insert_statement.hpp"
#include "duckdb/parser/statement/merge_into_statement.hpp"
#include "duckdb/parser/statement/select_statement.hpp"
#include "duckdb/parser/statement/update_statement.hpp"
#include "duckdb/parser/tableref/basetableref.hpp"
#include "duckdb/parser/tableref/joinref.hpp"

#include <string>

//! Statements as the parser makes them. In 2.0 what writes is a query node, since it may stand in a common table
//! expression, and names have as many parts as schemas are nested.

namespace duckherder {

//! A name of a statement. What the statement does not say is empty.
struct WrittenName {
	std::string catalog;
	std::string schema;
	std::string name;
	//! Whether the schema is in a schema, which the fields above do not say
	bool nested = false;
};

#if DUCKHERDER_DUCKDB_MAJOR < 2

using InsertNode = duckdb::InsertStatement;
using UpdateNode = duckdb::UpdateStatement;
using DeleteNode = duckdb::DeleteStatement;
using MergeNode = duckdb::MergeIntoStatement;

template <class STATEMENT>
STATEMENT &NodeOf(STATEMENT &statement) {
	return statement; // NOLINT: in 2.0 it is not the same type
}

inline WrittenName NameOf(const duckdb::BaseTableRef &table) {
	return {table.catalog_name, table.schema_name, table.table_name};
}

inline WrittenName NameOf(const duckdb::FunctionExpression &function) {
	return {function.catalog, function.schema, function.function_name};
}

inline WrittenName NameOf(const duckdb::WindowExpression &window) {
	return {window.catalog, window.schema, window.function_name};
}

inline WrittenName NameOf(const InsertNode &insert) {
	return {insert.catalog, insert.schema, insert.table};
}

inline WrittenName NameOf(const duckdb::AlterInfo &info) {
	return {info.catalog, info.schema, info.name};
}

inline WrittenName NameOf(const duckdb::DropInfo &info) {
	return {info.catalog, info.schema, info.name};
}

inline WrittenName NameOf(const duckdb::CreateTableInfo &info) {
	return {info.catalog, info.schema, info.table};
}

//! Where the entry is to be
inline WrittenName TargetNameOf(const duckdb::CreateInfo &info) {
	return {info.catalog, info.schema, ""};
}

inline void SetName(duckdb::BaseTableRef &table, const WrittenName &name) {
	table.catalog_name = name.catalog;
	table.schema_name = name.schema;
	table.table_name = name.name;
}

inline duckdb::optional_ptr<duckdb::QueryNode> QueryOf(const duckdb::CommonTableExpressionInfo &cte) {
	return cte.query ? cte.query->node.get() : nullptr;
}

inline duckdb::Parser BuiltinParser() {
	return duckdb::Parser();
}

inline duckdb::unique_ptr<duckdb::ParsedExpression> ConstantOf(duckdb::Value value) {
	return duckdb::make_uniq<duckdb::ConstantExpression>(std::move(value));
}

inline void SetFirstArgument(duckdb::FunctionExpression &function,
                             duckdb::unique_ptr<duckdb::ParsedExpression> argument) {
	function.children.at(0) = std::move(argument);
}

//! What a join ranks its rows by, if it is one for the nearest
inline duckdb::optional_ptr<duckdb::ParsedExpression> RankingOf(const duckdb::JoinRef &) {
	return nullptr;
}

inline bool IsLimit(duckdb::ResultModifierType type) {
	return type == duckdb::ResultModifierType::LIMIT_MODIFIER ||
	       type == duckdb::ResultModifierType::LIMIT_PERCENT_MODIFIER;
}

inline duckdb::QueryNode &SubqueryOf(const duckdb::SubqueryExpression &expression) {
	return *expression.subquery->node;
}

//! The type, and nothing of it that would have to be looked up in an expression
inline duckdb::LogicalType TargetOf(const duckdb::CastExpression &cast) {
	return cast.cast_type;
}

inline bool HasArguments(const duckdb::FunctionExpression &function) {
	return !function.children.empty();
}

inline duckdb::optional_ptr<duckdb::CatalogEntry> FindEntry(duckdb::CatalogEntryRetriever &names,
                                                            duckdb::CatalogType type, const WrittenName &name) {
	return names.GetEntry(name.catalog, name.schema, duckdb::EntryLookupInfo(type, name.name),
	                      duckdb::OnEntryNotFound::RETURN_NULL);
}

//! Throws if there is none
template <class ENTRY>
ENTRY &EntryOf(duckdb::ClientContext &context, duckdb::Catalog &catalog, const WrittenName &name) {
	return catalog.GetEntry<ENTRY>(context, name.schema, name.name);
}

//! As the connection's settings and extensions have it
inline duckdb::Parser ParserFor(duckdb::ClientContext &context) {
	return duckdb::Parser(context.GetParserOptions());
}

//! Empty if it has none
inline std::string DefaultSchemaOf(const duckdb::Catalog &catalog) {
	return catalog.GetDefaultSchema();
}

//! The number of each parameter, by its name
inline const auto &ParametersOf(const duckdb::PreparedStatement &prepared) {
	return prepared.named_param_map;
}

#else

using InsertNode = duckdb::InsertQueryNode;
using UpdateNode = duckdb::UpdateQueryNode;
using DeleteNode = duckdb::DeleteQueryNode;
using MergeNode = duckdb::MergeQueryNode;

//! What of the statement may also stand within another one
template <class STATEMENT>
auto &NodeOf(STATEMENT &statement) {
	return *statement.node;
}

inline WrittenName WrittenNameOf(const duckdb::QualifiedName &name) {
	return {NameText(name.Catalog()), NameText(name.Schema()), NameText(name.Name()), name.Path().size() > 3};
}

template <class NAMED>
WrittenName NameOf(const NAMED &named) {
	return WrittenNameOf(named.GetQualifiedName());
}

inline WrittenName NameOf(const InsertNode &insert) {
	return WrittenNameOf(insert.qualified_name);
}

inline WrittenName NameOf(const duckdb::DropInfo &info) {
	auto &name = info.GetQualifiedName();
	if (info.type != duckdb::CatalogType::SCHEMA_ENTRY) {
		return WrittenNameOf(name);
	}
	// Its last part is the schema.
	return {NameText(name.Schema()), NameText(name.Name()), "", name.Path().size() > 2};
}

inline WrittenName TargetNameOf(const duckdb::CreateInfo &info) {
	return WrittenNameOf(info.GetQualifiedName());
}

inline void SetName(duckdb::BaseTableRef &table, const WrittenName &name) {
	table.SetQualifiedName(duckdb::Identifier(name.catalog), duckdb::Identifier(name.schema),
	                       duckdb::Identifier(name.name));
}

inline duckdb::optional_ptr<duckdb::QueryNode> QueryOf(const duckdb::CommonTableExpressionInfo &cte) {
	return cte.query_node.get();
}

//! With no settings or extensions of any connection
inline duckdb::Parser BuiltinParser() {
	return duckdb::Parser::GetBuiltinParser();
}

inline duckdb::unique_ptr<duckdb::ParsedExpression> ConstantOf(const duckdb::Value &value) {
	return duckdb::ConstantExpression::FromValue(value);
}

inline void SetFirstArgument(duckdb::FunctionExpression &function,
                             duckdb::unique_ptr<duckdb::ParsedExpression> argument) {
	function.GetArgumentsMutable().at(0).GetExpressionMutable() = std::move(argument);
}

inline duckdb::optional_ptr<duckdb::ParsedExpression> RankingOf(const duckdb::JoinRef &join) {
	return join.ranking_expression.get();
}

inline bool IsLimit(duckdb::ResultModifierType type) {
	return type == duckdb::ResultModifierType::LIMIT_MODIFIER;
}

inline duckdb::QueryNode &SubqueryOf(const duckdb::SubqueryExpression &expression) {
	return *expression.Subquery()->node;
}

inline duckdb::LogicalType TargetOf(const duckdb::CastExpression &cast) {
	return duckdb::LogicalType::UNBOUND(cast.TargetType().Copy());
}

inline bool HasArguments(const duckdb::FunctionExpression &function) {
	return !function.GetArguments().empty();
}

inline duckdb::optional_ptr<duckdb::CatalogEntry> FindEntry(duckdb::CatalogEntryRetriever &names,
                                                            duckdb::CatalogType type, const WrittenName &name) {
	duckdb::QualifiedName qualified(duckdb::Identifier(name.catalog), duckdb::Identifier(name.schema),
	                                duckdb::Identifier(name.name));
	return names.GetEntry(duckdb::EntryLookupInfo(type, std::move(qualified)), duckdb::OnEntryNotFound::RETURN_NULL);
}

template <class ENTRY>
ENTRY &EntryOf(duckdb::ClientContext &context, duckdb::Catalog &catalog, const WrittenName &name) {
	return duckdb::Catalog::GetEntry<ENTRY>(
	    context,
	    duckdb::QualifiedName(catalog.GetName(), duckdb::Identifier(name.schema), duckdb::Identifier(name.name)));
}

inline duckdb::Parser ParserFor(duckdb::ClientContext &context) {
	return duckdb::Parser(context);
}

inline std::string DefaultSchemaOf(const duckdb::Catalog &catalog) {
	auto schema = catalog.GetDefaultSchema();
	return schema ? NameText(*schema) : "";
}

inline const auto &ParametersOf(const duckdb::PreparedStatement &prepared) {
	return prepared.GetNamedParameterMap();
}

#endif

inline duckdb::Catalog &CatalogNamed(duckdb::ClientContext &context, const std::string &name) {
	return duckdb::Catalog::GetCatalog(context, duckdb::Identifier(name));
}

//! Null if there is none
inline auto DatabaseNamed(duckdb::ClientContext &context, const std::string &name) {
	return duckdb::DatabaseManager::Get(context).GetDatabase(context, duckdb::Identifier(name));
}

} // namespace duckherder
