#pragma once

#include "duckdb/common/serializer/serializer.hpp"
#include "duckdb/common/string_util.hpp"
#include "duckdb/function/aggregate_function.hpp"
#include "duckdb/function/scalar_function.hpp"
#include "duckdb/function/table_function.hpp"
#include "duckdb/main/config.hpp"
#include "duckdb/parser/sql_statement.hpp"
#include "duckdb/planner/column_binding.hpp"
#include "duckdb/planner/expression/bound_cast_expression.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "duckdb/planner/joinside.hpp"
#include "duckdb/planner/operator/logical_join.hpp"

#include <optional>

//! The code is written for DuckDB 2.0. Here 1.5 gets the names of 2.0 that are types, and both get functions for what
//! has a different type in each of them. Members that 1.5 lacks are in names_of_2_0.txt.

#if DUCKHERDER_DUCKDB_MAJOR < 2

namespace duckdb {

//! 2.0 compares names without their case
using Identifier = string;
using TableIndex = idx_t;
using ProjectionIndex = idx_t;
using BoundAggregateFunction = AggregateFunction;
using BoundScalarFunction = ScalarFunction;
using BoundTableFunction = TableFunction;
using named_argument_map_t = named_parameter_map_t;

inline const vector<string> &IdentifiersToStrings(const vector<string> &names) {
	return names; // NOLINT: in 2.0 it is not the same type
}

inline const vector<string> &StringsToIdentifiers(const vector<string> &names) {
	return names; // NOLINT: in 2.0 it is not the same type
}

} // namespace duckdb

namespace duckherder {

inline const std::string &NameText(const std::string &name) {
	return name; // NOLINT: in 2.0 it is not the same type
}

inline duckdb::SerializationOptions LatestFormat() {
	duckdb::SerializationOptions options;
	options.serialization_compatibility = duckdb::SerializationCompatibility::Latest();
	return options;
}

inline duckdb::unique_ptr<duckdb::Expression> CallTo(duckdb::ScalarFunction function,
                                                     duckdb::vector<duckdb::unique_ptr<duckdb::Expression>> arguments,
                                                     duckdb::unique_ptr<duckdb::FunctionData> bind_data) {
	auto type = function.GetReturnType();
	return duckdb::make_uniq<duckdb::BoundFunctionExpression>(std::move(type), std::move(function),
	                                                          std::move(arguments), std::move(bind_data));
}

inline void CopyLocation(const duckdb::SQLStatement &from, duckdb::SQLStatement &to) {
	to.stmt_location = from.stmt_location;
	to.stmt_length = from.stmt_length;
}

inline duckdb::optional_ptr<duckdb::vector<duckdb::unique_ptr<duckdb::BaseStatistics>>>
JoinStatistics(duckdb::LogicalJoin &join) {
	return join.join_stats;
}

inline const duckdb::vector<duckdb::idx_t> &Positions(const duckdb::vector<duckdb::idx_t> &positions) {
	return positions; // NOLINT: in 2.0 it is not the same type
}

template <class VISITOR>
void VisitPlan(VISITOR &visitor, duckdb::unique_ptr<duckdb::LogicalOperator> &plan) {
	visitor.VisitOperator(*plan);
}

inline duckdb::LogicalType WiderType(const duckdb::LogicalType &left, const duckdb::LogicalType &right) {
	return duckdb::LogicalType::ForceMaxLogicalType(left, right);
}

inline std::optional<duckdb::LogicalType> SourceOfCast(const duckdb::Expression &expression) {
	if (expression.GetExpressionClass() != duckdb::ExpressionClass::BOUND_CAST) {
		return std::nullopt;
	}
	auto &cast = expression.Cast<duckdb::BoundCastExpression>();
	return cast.try_cast ? std::nullopt : std::optional(cast.child->return_type);
}

inline duckdb::JoinCondition MakeCondition(duckdb::unique_ptr<duckdb::Expression> left,
                                           duckdb::unique_ptr<duckdb::Expression> right,
                                           duckdb::ExpressionType comparison) {
	duckdb::JoinCondition condition;
	condition.left = std::move(left);
	condition.right = std::move(right);
	condition.comparison = comparison;
	return condition;
}

inline duckdb::idx_t ParseMemoryLimit(const std::string &text) {
	return duckdb::DBConfig::ParseMemoryLimit(text);
}

inline duckdb::idx_t IndexOf(duckdb::idx_t table) {
	return table;
}

template <class FUNCTION>
const std::string &FunctionName(const FUNCTION &function) {
	return function.name;
}

template <class FUNCTION>
void RenameFunction(FUNCTION &function, const std::string &name) {
	function.name = name;
}

template <class FUNCTION>
const std::string &CatalogOf(const FUNCTION &function) {
	return function.catalog_name;
}

template <class FUNCTION>
const std::string &SchemaOf(const FUNCTION &function) {
	return function.schema_name;
}

} // namespace duckherder

#else

#include "duckdb/common/identifier.hpp"

namespace duckherder {

//! A name as it was written
inline const std::string &NameText(const duckdb::Identifier &name) {
	return name.GetIdentifierName();
}

inline const std::string &NameText(const std::string &name) {
	return name; // NOLINT: in 2.0 it is not the same type
}

//! A call that no binder has seen
inline duckdb::unique_ptr<duckdb::Expression> CallTo(duckdb::ScalarFunction function,
                                                     duckdb::vector<duckdb::unique_ptr<duckdb::Expression>> arguments,
                                                     duckdb::unique_ptr<duckdb::FunctionData> bind_data) {
	return duckdb::make_uniq<duckdb::BoundFunctionExpression>(duckdb::BoundScalarFunction(function),
	                                                          std::move(arguments), std::move(bind_data));
}

//! Where the statement stands in its text
inline void CopyLocation(const duckdb::SQLStatement &from, duckdb::SQLStatement &to) {
	to.stmt_location = from.stmt_location;
}

//! What the optimizer knows of the keys of a join, as one list. 2.0 keeps it with each condition.
inline duckdb::optional_ptr<duckdb::vector<duckdb::unique_ptr<duckdb::BaseStatistics>>>
JoinStatistics(duckdb::LogicalJoin &) {
	return nullptr;
}

//! How plans travel: as this version writes them, not as one that an older version reads
inline duckdb::SerializationOptions LatestFormat() {
	duckdb::SerializationOptions options;
	options.storage_compatibility = duckdb::StorageCompatibility::Latest();
	return options;
}

//! Positions in a list of columns, as numbers
inline duckdb::vector<duckdb::idx_t> Positions(const duckdb::vector<duckdb::ProjectionIndex> &positions) {
	duckdb::vector<duckdb::idx_t> result;
	for (auto position : positions) {
		result.push_back(position.GetIndex());
	}
	return result;
}

//! Lets a pass of the optimizer go through the plan
template <class VISITOR>
void VisitPlan(VISITOR &visitor, duckdb::unique_ptr<duckdb::LogicalOperator> &plan) {
	visitor.VisitOperator(plan);
}

//! The type that has the values of both
inline duckdb::LogicalType WiderType(const duckdb::LogicalType &left, const duckdb::LogicalType &right) {
	return duckdb::LogicalType::DefaultForceMaxLogicalType(left, right);
}

//! If the expression is a cast that fails for values which it cannot take: the type of what it takes
inline std::optional<duckdb::LogicalType> SourceOfCast(const duckdb::Expression &expression) {
	if (!duckdb::BoundCastExpression::IsCast(expression)) {
		return std::nullopt;
	}
	auto &cast = expression.Cast<duckdb::BoundFunctionExpression>();
	return duckdb::BoundCastExpression::IsTryCast(cast) ? std::nullopt
	                                                    : std::optional(duckdb::BoundCastExpression::SourceType(cast));
}

inline duckdb::JoinCondition MakeCondition(duckdb::unique_ptr<duckdb::Expression> left,
                                           duckdb::unique_ptr<duckdb::Expression> right,
                                           duckdb::ExpressionType comparison) {
	return duckdb::JoinCondition(std::move(left), std::move(right), comparison);
}

//! In bytes
inline duckdb::idx_t ParseMemoryLimit(const std::string &text) {
	return duckdb::DBConfig::ParseMemoryLimitOrMaximum(text);
}

//! The number of a table in a plan, for what counts or prints it
inline duckdb::idx_t IndexOf(duckdb::TableIndex table) {
	return table.index;
}

//! The name of a function, bound or as it stands in the catalog
template <class FUNCTION>
const std::string &FunctionName(const FUNCTION &function) {
	return function.GetName().GetIdentifierName();
}

//! For a copy of a plan that is only shown
template <class FUNCTION>
void RenameFunction(FUNCTION &function, const std::string &name) {
	function.SetName(duckdb::Identifier(name));
}

template <class FUNCTION>
const std::string &CatalogOf(const FUNCTION &function) {
	return function.GetCatalogName().GetIdentifierName();
}

template <class FUNCTION>
const std::string &SchemaOf(const FUNCTION &function) {
	return function.GetSchemaName().GetIdentifierName();
}

} // namespace duckherder

#endif

namespace duckherder {

template <class NAMES>
std::vector<std::string> NameTexts(const NAMES &names) {
	std::vector<std::string> texts;
	for (auto &name : names) {
		texts.push_back(NameText(name));
	}
	return texts;
}

} // namespace duckherder
