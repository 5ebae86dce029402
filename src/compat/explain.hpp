#pragma once

#include "compat/operators.hpp"

#include "duckdb/planner/operator/logical_comparison_join.hpp"
#include "duckdb/planner/operator/logical_explain.hpp"

#include <algorithm>

//! EXPLAIN: which one is asked for, and what of a plan is shown

namespace duckherder {

#if DUCKHERDER_DUCKDB_MAJOR < 2

inline PlanFormat FormatOf(const duckdb::LogicalExplain &explain) {
	return explain.explain_format;
}

inline bool IsJson(const PlanFormat &format) {
	return format == duckdb::ExplainFormat::JSON;
}

//! Which is also what nobody has asked for
inline bool IsText(const PlanFormat &format) {
	return format == duckdb::ExplainFormat::DEFAULT || format == duckdb::ExplainFormat::TEXT;
}

//! Whether the plan is to be shown as SQL, for which it has to stay one of DuckDB's operators
inline bool ShowsSql(const duckdb::LogicalOperator &) {
	return false;
}

//! What a join asks for besides comparisons of its sides
inline duckdb::vector<duckdb::const_reference<duckdb::Expression>>
OtherConditionsOf(const duckdb::LogicalComparisonJoin &join) {
	duckdb::vector<duckdb::const_reference<duckdb::Expression>> conditions;
	if (join.predicate) {
		conditions.push_back(*join.predicate);
	}
	return conditions;
}

#else

inline PlanFormat FormatOf(const duckdb::LogicalExplain &explain) {
	return explain.format;
}

inline bool IsJson(const PlanFormat &format) {
	return format == PlanFormat::JSON();
}

inline bool IsText(const PlanFormat &format) {
	return format == PlanFormat::Default() || format == PlanFormat::Text();
}

inline bool ShowsSql(const duckdb::LogicalOperator &op) {
	switch (op.type) {
	case duckdb::LogicalOperatorType::LOGICAL_EXPLAIN:
		return op.Cast<duckdb::LogicalExplain>().explain_type == duckdb::ExplainType::EXPLAIN_SQL;
	case duckdb::LogicalOperatorType::LOGICAL_PREPARE:
	case duckdb::LogicalOperatorType::LOGICAL_EXECUTE:
		return std::any_of(op.children.begin(), op.children.end(), [](auto &child) { return ShowsSql(*child); });
	default:
		return false;
	}
}

inline duckdb::vector<duckdb::const_reference<duckdb::Expression>>
OtherConditionsOf(const duckdb::LogicalComparisonJoin &join) {
	duckdb::vector<duckdb::const_reference<duckdb::Expression>> conditions;
	for (auto &condition : join.conditions) {
		if (!condition.IsComparison()) {
			conditions.push_back(condition.GetJoinExpression());
		}
	}
	return conditions;
}

#endif

} // namespace duckherder
