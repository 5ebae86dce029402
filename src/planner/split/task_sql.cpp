#include "planner/split/task_sql.hpp"

#include "duckdb/parser/expression/comparison_expression.hpp"
#include "duckdb/parser/expression/columnref_expression.hpp"
#include "duckdb/parser/expression/conjunction_expression.hpp"
#include "duckdb/parser/expression/constant_expression.hpp"
#include "duckdb/parser/expression/function_expression.hpp"
#include "duckdb/parser/parser.hpp"
#include "duckdb/parser/query_node/select_node.hpp"
#include "duckdb/parser/statement/explain_statement.hpp"
#include "duckdb/parser/tableref/basetableref.hpp"
#include "duckdb/parser/tableref/table_function_ref.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

void And(unique_ptr<ParsedExpression> &where, unique_ptr<ParsedExpression> condition) {
	if (!where) {
		where = std::move(condition);
		return;
	}
	where = make_uniq<ConjunctionExpression>(ExpressionType::CONJUNCTION_AND, std::move(where), std::move(condition));
}

unique_ptr<ParsedExpression> Compare(ExpressionType type, const string &column, idx_t value) {
	return make_uniq<ComparisonExpression>(type, make_uniq<ColumnRefExpression>(column),
	                                       make_uniq<ConstantExpression>(Value::UBIGINT(value)));
}

bool ReadsParquet(const TableFunctionRef &ref) {
	if (!ref.function || ref.function->GetExpressionClass() != ExpressionClass::FUNCTION) {
		return false;
	}
	auto name = StringUtil::Lower(ref.function->Cast<FunctionExpression>().function_name);
	return name == "read_parquet" || name == "parquet_scan";
}

//! Whether the name or the call in FROM stands for the files themselves: a view or a macro may do more than read them
bool StandsForFiles(const TableRef &from, const ScanSplit &split) {
	if (from.type == TableReferenceType::TABLE_FUNCTION) {
		return ReadsParquet(from.Cast<TableFunctionRef>());
	}
	auto &name = from.Cast<BaseTableRef>().table_name;
	return (split.files.size() == 1 && name == split.files[0].Written()) || name.find('.') != string::npos ||
	       name.find('*') != string::npos;
}

//! The files as the function call that reads them, with the options that the user gave
unique_ptr<TableRef> ReadFiles(const ScanSplit &split, const TableRef &original) {
	vector<Value> paths;
	for (auto &file : split.files) {
		paths.emplace_back(file.Written());
	}
	auto list = make_uniq<ConstantExpression>(paths.size() == 1 ? paths[0] : Value::LIST(LogicalType::VARCHAR, paths));
	auto result = make_uniq<TableFunctionRef>();
	if (original.type == TableReferenceType::TABLE_FUNCTION) {
		// The options stay those of the whole scan.
		result->function = original.Cast<TableFunctionRef>().function->Copy();
		result->function->Cast<FunctionExpression>().children[0] = std::move(list);
	} else {
		vector<unique_ptr<ParsedExpression>> arguments;
		arguments.push_back(std::move(list));
		result->function = make_uniq<FunctionExpression>("read_parquet", std::move(arguments));
	}
	result->alias = original.alias;
	result->column_name_alias = original.column_name_alias;
	return result;
}

} // namespace

TaskSqlWriter::TaskSqlWriter(const string &base_sql) {
	Parser parser;
	try {
		parser.ParseQuery(base_sql);
	} catch (std::exception &) {
		// extensions may parse statements of their own: then there is no text for a task, and none is needed
		return;
	}
	if (parser.statements.size() != 1) {
		return;
	}
	auto parsed = std::move(parser.statements[0]);
	if (parsed->type == StatementType::EXPLAIN_STATEMENT) {
		parsed = std::move(parsed->Cast<ExplainStatement>().stmt);
	}
	if (parsed->type != StatementType::SELECT_STATEMENT) {
		return;
	}
	auto select = unique_ptr_cast<SQLStatement, SelectStatement>(std::move(parsed));
	if (select->node->type != QueryNodeType::SELECT_NODE || select->node->cte_map.map.size() > 0) {
		return;
	}
	auto &from = select->node->Cast<SelectNode>().from_table;
	if (from && (from->type == TableReferenceType::BASE_TABLE || from->type == TableReferenceType::TABLE_FUNCTION)) {
		statement = std::move(select);
	}
}

string TaskSqlWriter::Write(const ScanSplit &split) const {
	if (!statement || split.kind == SplitKind::FEED || split.kind == SplitKind::NONE) {
		return string();
	}
	auto copy = unique_ptr_cast<SQLStatement, SelectStatement>(statement->Copy());
	auto &node = copy->node->Cast<SelectNode>();
	if (!split.files.empty()) {
		if (!StandsForFiles(*node.from_table, split)) {
			return string();
		}
		node.from_table = ReadFiles(split, *node.from_table);
	}
	auto row_number = split.files.empty() ? "rowid" : "file_row_number";
	if (split.kind == SplitKind::MODULO) {
		vector<unique_ptr<ParsedExpression>> operands;
		operands.push_back(make_uniq<ColumnRefExpression>(row_number));
		operands.push_back(make_uniq<ConstantExpression>(Value::UBIGINT(split.modulus)));
		And(node.where_clause,
		    make_uniq<ComparisonExpression>(
		        ExpressionType::COMPARE_EQUAL,
		        make_uniq<FunctionExpression>("%", std::move(operands), nullptr, nullptr, false, true),
		        make_uniq<ConstantExpression>(Value::UBIGINT(split.remainder))));
		return copy->ToString();
	}
	if (split.row_start > 0) {
		And(node.where_clause, Compare(ExpressionType::COMPARE_GREATERTHANOREQUALTO, row_number, split.row_start));
	}
	if (split.row_end != ROWS_UNBOUNDED) {
		And(node.where_clause, Compare(ExpressionType::COMPARE_LESSTHAN, row_number, split.row_end));
	}
	return copy->ToString();
}

} // namespace duckherder
