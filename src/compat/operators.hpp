#pragma once

#include "compat/names.hpp"

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/parser/parsed_data/alter_info.hpp"
#include "duckdb/parser/statement/explain_statement.hpp"
#include "duckdb/planner/expression/bound_subquery_expression.hpp"
#include "duckdb/planner/operator/list.hpp"

#if DUCKHERDER_DUCKDB_MAJOR < 2
#include "duckdb/planner/operator/logical_simple.hpp"
#else
#include "duckdb/main/profiler/profiler_print_format.hpp"
#endif

#include <string>

//! Operators of plans that have other classes in 2.0, and the formats in which plans are shown

namespace duckherder {

#if DUCKHERDER_DUCKDB_MAJOR < 2

using PlanFormat = duckdb::ExplainFormat;

//! What an ALTER is to do; null if the operator does not say
inline duckdb::optional_ptr<const duckdb::AlterInfo> AlterOf(const duckdb::LogicalOperator &op) {
	auto &info = static_cast<const duckdb::LogicalSimple &>(op).info;
	return info ? &info->Cast<duckdb::AlterInfo>() : nullptr;
}

//! Before it is flattened into the plan
inline const duckdb::BoundStatement &SubqueryOf(const duckdb::BoundSubqueryExpression &expression) {
	return expression.subquery;
}

//! As an EXPLAIN names it
inline PlanFormat PlanFormatNamed(const std::string &name) {
	return duckdb::EnumUtil::FromString<PlanFormat>(name);
}

inline std::string PlanFormatName(const PlanFormat &format) {
	return duckdb::EnumUtil::ToString(format);
}

#else

inline const duckdb::BoundStatement &SubqueryOf(const duckdb::BoundSubqueryExpression &expression) {
	return expression.Subquery();
}

using PlanFormat = duckdb::ProfilerPrintFormat;

inline duckdb::optional_ptr<const duckdb::AlterInfo> AlterOf(const duckdb::LogicalOperator &op) {
	return op.Cast<duckdb::LogicalAlter>().info.get();
}

inline PlanFormat PlanFormatNamed(const std::string &name) {
	return PlanFormat(name);
}

inline std::string PlanFormatName(const PlanFormat &format) {
	return format.format;
}

#endif

//! Triggers are new in 2.0, which makes them a part of the plan when it binds a statement.
inline bool HasTriggers([[maybe_unused]] duckdb::ClientContext &context,
                        [[maybe_unused]] duckdb::TableCatalogEntry &table) {
	auto any = false;
#if DUCKHERDER_DUCKDB_MAJOR >= 2
	table.ScanTriggers(table.ParentCatalog().GetCatalogTransaction(context),
	                   [&any](duckdb::CatalogEntry &) { any = true; });
#endif
	return any;
}

//! For plans that were bound with another catalog's entry for the table, which may number stored columns in another
//! way: rows that are deleted are looked up by their ids, in place of being passed on by the scan, as only 2.0 does.
inline void LookUpDeletedRows([[maybe_unused]] duckdb::LogicalOperator &plan) {
#if DUCKHERDER_DUCKDB_MAJOR >= 2
	if (plan.type == duckdb::LogicalOperatorType::LOGICAL_DELETE) {
		plan.Cast<duckdb::LogicalDelete>().return_columns.clear();
	} else if (plan.type == duckdb::LogicalOperatorType::LOGICAL_MERGE_INTO) {
		plan.Cast<duckdb::LogicalMergeInto>().delete_return_columns.clear();
	}
	for (auto &child : plan.children) {
		LookUpDeletedRows(*child);
	}
#endif
}

} // namespace duckherder
