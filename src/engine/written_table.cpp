#include "engine/written_table.hpp"

#include "duckdb/planner/operator/logical_delete.hpp"
#include "duckdb/planner/operator/logical_insert.hpp"
#include "duckdb/planner/operator/logical_merge_into.hpp"
#include "duckdb/planner/operator/logical_update.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

optional_ptr<vector<unique_ptr<Expression>>> DefaultsOf(LogicalOperator &op) {
	switch (op.type) {
	case LogicalOperatorType::LOGICAL_INSERT:
		return op.Cast<LogicalInsert>().bound_defaults;
	case LogicalOperatorType::LOGICAL_UPDATE:
		return op.Cast<LogicalUpdate>().bound_defaults;
	case LogicalOperatorType::LOGICAL_MERGE_INTO:
		return op.Cast<LogicalMergeInto>().bound_defaults;
	default:
		return nullptr;
	}
}

} // namespace

optional_ptr<TableCatalogEntry> WrittenTableOf(LogicalOperator &op) {
	switch (op.type) {
	case LogicalOperatorType::LOGICAL_INSERT:
		return op.Cast<LogicalInsert>().table;
	case LogicalOperatorType::LOGICAL_DELETE:
		return op.Cast<LogicalDelete>().table;
	case LogicalOperatorType::LOGICAL_UPDATE:
		return op.Cast<LogicalUpdate>().table;
	case LogicalOperatorType::LOGICAL_MERGE_INTO:
		return op.Cast<LogicalMergeInto>().table;
	default:
		return nullptr;
	}
}

void VisitDefaults(LogicalOperator &op, const std::function<void(unique_ptr<Expression> &)> &visit) {
	auto defaults = DefaultsOf(op);
	if (!defaults) {
		return;
	}
	for (auto &value : *defaults) {
		// 2.0 has none for a column that the statement does not need it for.
		if (value) {
			visit(value);
		}
	}
}

} // namespace duckherder
