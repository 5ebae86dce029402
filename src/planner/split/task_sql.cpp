#include "planner/split/task_sql.hpp"

#include "compat/statements.hpp"
#include "engine/key_order.hpp"

#include "duckdb/parser/statement/explain_statement.hpp"
#include "duckdb/parser/tableref/table_function_ref.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

unique_ptr<ParsedExpression> Compare(ExpressionType type, const Identifier &column, Value value) {
	return make_uniq<ComparisonExpression>(type, make_uniq<ColumnRefExpression>(column), ConstantOf(std::move(value)));
}

bool ReadsParquet(const TableFunctionRef &ref) {
	if (!ref.function || ref.function->GetExpressionClass() != ExpressionClass::FUNCTION) {
		return false;
	}
	auto name = StringUtil::Lower(NameOf(ref.function->Cast<FunctionExpression>()).name);
	return name == "read_parquet" || name == "parquet_scan";
}

//! Whether the name or the call in FROM stands for the files themselves: a view or a macro may do more than read them
bool StandsForFiles(const TableRef &from, std::span<const ScanFile> files) {
	if (from.type == TableReferenceType::TABLE_FUNCTION) {
		return ReadsParquet(from.Cast<TableFunctionRef>());
	}
	auto name = NameOf(from.Cast<BaseTableRef>()).name;
	return (files.size() == 1 && name == files[0].Written()) || name.find('.') != string::npos ||
	       name.find('*') != string::npos;
}

//! The files as the function call that reads them, with the options that the user gave
unique_ptr<TableRef> ReadFiles(std::span<const ScanFile> files, const TableRef &original) {
	vector<Value> paths;
	for (auto &file : files) {
		paths.emplace_back(file.Written());
	}
	auto list = ConstantOf(paths.size() == 1 ? paths[0] : Value::LIST(LogicalType::VARCHAR, paths));
	auto result = make_uniq<TableFunctionRef>();
	if (original.type == TableReferenceType::TABLE_FUNCTION) {
		// The options stay those of the whole scan.
		result->function = original.Cast<TableFunctionRef>().function->Copy();
		SetFirstArgument(result->function->Cast<FunctionExpression>(), std::move(list));
	} else {
		vector<unique_ptr<ParsedExpression>> arguments;
		arguments.push_back(std::move(list));
		result->function = make_uniq<FunctionExpression>("read_parquet", std::move(arguments));
	}
	result->alias = original.alias;
	result->column_name_alias = original.column_name_alias;
	return result;
}

//! Lets a statement read only what a split says, by its kind. Returns false if no SQL says that.
struct SplitRestriction {
	SelectNode &node;

	bool operator()(const PartitionSplit &) const {
		return false;
	}
	bool operator()(const FeedSplit &) const {
		return false;
	}
	bool operator()(const FileSplit &split) const {
		return Read(split.files);
	}
	bool operator()(const RowsSplit &split) const {
		if (split.file && !Read(split.Files())) {
			return false;
		}
		auto row_number = split.file ? "file_row_number" : "rowid";
		if (split.rows.start > 0) {
			Where(Compare(ExpressionType::COMPARE_GREATERTHANOREQUALTO, row_number, Value::UBIGINT(split.rows.start)));
		}
		if (split.rows.end != ROWS_UNBOUNDED) {
			Where(Compare(ExpressionType::COMPARE_LESSTHAN, row_number, Value::UBIGINT(split.rows.end)));
		}
		return true;
	}
	bool operator()(const ModuloSplit &split) const {
		vector<unique_ptr<ParsedExpression>> operands;
		operands.push_back(make_uniq<ColumnRefExpression>("rowid"));
		operands.push_back(ConstantOf(Value::UBIGINT(split.modulus)));
		Where(make_uniq<ComparisonExpression>(
		    ExpressionType::COMPARE_EQUAL,
		    make_uniq<FunctionExpression>("%", std::move(operands), nullptr, nullptr, false, true),
		    ConstantOf(Value::UBIGINT(split.remainder))));
		return true;
	}

	//! Only rows with these keys
	void Restrict(const KeyRange &keys, const LogicalGet &get) const {
		for (auto &[comparison, key] : ComparisonsOf(keys, get.returned_types.at(keys.column))) {
			Where(Compare(comparison, get.names.at(keys.column), key));
		}
	}

private:
	bool Read(std::span<const ScanFile> files) const {
		if (!StandsForFiles(*node.from_table, files)) {
			return false;
		}
		node.from_table = ReadFiles(files, *node.from_table);
		return true;
	}
	void Where(unique_ptr<ParsedExpression> condition) const {
		if (node.where_clause) {
			condition = make_uniq<ConjunctionExpression>(ExpressionType::CONJUNCTION_AND, std::move(node.where_clause),
			                                             std::move(condition));
		}
		node.where_clause = std::move(condition);
	}
};

} // namespace

TaskSqlWriter::TaskSqlWriter(const string &base_sql) {
	auto parser = BuiltinParser();
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

string TaskSqlWriter::Write(const ScanSplit &split, const LogicalGet &get) const {
	if (!statement) {
		return string();
	}
	auto copy = unique_ptr_cast<SQLStatement, SelectStatement>(statement->Copy());
	SplitRestriction restriction {copy->node->Cast<SelectNode>()};
	if (!std::visit(restriction, split.part)) {
		return string();
	}
	if (!split.keys.IsUnbounded()) {
		restriction.Restrict(split.keys, get);
	}
	return copy->ToString();
}

} // namespace duckherder
