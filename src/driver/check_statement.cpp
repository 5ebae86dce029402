#include "driver/check_statement.hpp"

#include "codec/exchange_scan.hpp"
#include "codec/view_scan.hpp"

#include "duckdb/parser/parsed_data/create_info.hpp"
#include "duckdb/parser/parsed_data/drop_info.hpp"
#include "duckdb/parser/statement/create_statement.hpp"
#include "duckdb/parser/statement/drop_statement.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "duckdb/planner/expression_iterator.hpp"
#include "duckdb/planner/logical_operator_visitor.hpp"
#include "duckdb/planner/operator/logical_get.hpp"

#include <set>

namespace duckherder {

using namespace duckdb;

namespace {

[[noreturn]] void Refuse(const string &what, Trust trust) {
	throw PermissionException("%s needs the role 'admin', this token has the role '%s'", what,
	                          trust == Trust::READER ? "read" : "write");
}

bool ControlsNodes(const string &function) {
	return StringUtil::StartsWith(StringUtil::Lower(function), "duckherder_");
}

class FunctionCheck : public LogicalOperatorVisitor {
public:
	explicit FunctionCheck(Trust trust_p) : trust(trust_p) {
	}

	void VisitExpression(unique_ptr<Expression> *expression) override {
		Check(**expression);
	}

private:
	void Check(Expression &expression) {
		if (expression.GetExpressionClass() == ExpressionClass::BOUND_FUNCTION) {
			auto &name = expression.Cast<BoundFunctionExpression>().function.name;
			if (ControlsNodes(name) || name == "getenv" || name == "write_log") {
				Refuse("The function " + name, trust);
			}
		}
		ExpressionIterator::EnumerateChildren(expression, [&](Expression &child) { Check(child); });
	}

	const Trust trust;
};

void CheckScan(const LogicalGet &get, Trust trust) {
	// scans of tables, and what makes rows of nothing
	static const std::set<string> harmless = {"seq_scan",           "ducklake_scan",  "range",
	                                          "generate_series",    "unnest",         "repeat",
	                                          "repeat_row",         VIEW_SCAN_NAME,   "duckdb_tables",
	                                          "duckdb_views",       "duckdb_columns", "duckdb_schemas",
	                                          "duckdb_databases",   "duckdb_types",   "duckdb_functions",
	                                          "duckdb_constraints", "duckdb_indexes", "duckdb_sequences"};
	auto &name = get.function.name;
	// as `duckherder status` shows it to whoever has a token; other drivers are asked with this one's own
	auto is_state = name == "duckherder_workers" && get.named_parameters.empty();
	if (ControlsNodes(name) && name != VIEW_SCAN_NAME && !is_state) {
		Refuse("The function " + name, trust);
	}
	if (trust == Trust::READER && harmless.count(name) == 0 && !is_state) {
		Refuse("Reading with " + name + ", which is no table of the database,", trust);
	}
}

bool UsesDatabaseOnly(const LogicalOperator &op) {
	switch (op.type) {
	case LogicalOperatorType::LOGICAL_COPY_TO_FILE:
	case LogicalOperatorType::LOGICAL_EXPORT:
	case LogicalOperatorType::LOGICAL_COPY_DATABASE:
	case LogicalOperatorType::LOGICAL_PRAGMA:
	case LogicalOperatorType::LOGICAL_LOAD:
	case LogicalOperatorType::LOGICAL_ATTACH:
	case LogicalOperatorType::LOGICAL_DETACH:
	case LogicalOperatorType::LOGICAL_SET:
	case LogicalOperatorType::LOGICAL_RESET:
	case LogicalOperatorType::LOGICAL_CREATE_SECRET:
	case LogicalOperatorType::LOGICAL_UPDATE_EXTENSIONS:
	case LogicalOperatorType::LOGICAL_EXECUTE:
	case LogicalOperatorType::LOGICAL_PREPARE:
		return false;
	case LogicalOperatorType::LOGICAL_EXTENSION_OPERATOR:
		return dynamic_cast<const LogicalExchangeScan *>(&op) != nullptr;
	default:
		return true;
	}
}

} // namespace

void CheckPlan(const LogicalOperator &plan, Trust trust) {
	if (trust == Trust::FULL) {
		return;
	}
	if (!UsesDatabaseOnly(plan)) {
		Refuse(LogicalOperatorToString(plan.type), trust);
	}
	if (plan.type == LogicalOperatorType::LOGICAL_GET) {
		CheckScan(plan.Cast<LogicalGet>(), trust);
	}
	FunctionCheck functions(trust);
	// only read, but DuckDB walks expressions through non-const references
	LogicalOperatorVisitor::EnumerateExpressions(
	    const_cast<LogicalOperator &>(plan), [&](unique_ptr<Expression> *child) { functions.VisitExpression(child); });
	for (auto &child : plan.children) {
		CheckPlan(*child, trust);
	}
}

void CheckKind(const SQLStatement &statement, Trust trust) {
	if (trust == Trust::FULL) {
		return;
	}
	switch (statement.type) {
	case StatementType::CREATE_STATEMENT:
		if (statement.Cast<CreateStatement>().info->type != CatalogType::SECRET_ENTRY) {
			return;
		}
		break;
	case StatementType::DROP_STATEMENT:
		if (statement.Cast<DropStatement>().info->type != CatalogType::SECRET_ENTRY) {
			return;
		}
		break;
	case StatementType::SELECT_STATEMENT:
	case StatementType::INSERT_STATEMENT:
	case StatementType::UPDATE_STATEMENT:
	case StatementType::DELETE_STATEMENT:
	case StatementType::MERGE_INTO_STATEMENT:
	case StatementType::ALTER_STATEMENT:
	case StatementType::EXPLAIN_STATEMENT:
		return;
	default:
		break;
	}
	Refuse(StatementTypeToString(statement.type), trust);
}

} // namespace duckherder
