#include "planner/rewrite/lake_deletes.hpp"

#include "compat/names.hpp"

#include "duckdb/common/multi_file/multi_file_reader.hpp"
#include "duckdb/execution/expression_executor.hpp"
#include "duckdb/function/function_binder.hpp"
#include "duckdb/planner/expression/bound_cast_expression.hpp"
#include "duckdb/planner/expression/bound_columnref_expression.hpp"
#include "duckdb/planner/expression/bound_comparison_expression.hpp"
#include "duckdb/planner/expression/bound_conjunction_expression.hpp"
#include "duckdb/planner/expression/bound_constant_expression.hpp"
#include "duckdb/planner/expression/bound_operator_expression.hpp"
#include "duckdb/planner/operator/logical_comparison_join.hpp"
#include "duckdb/planner/operator/logical_filter.hpp"
#include "duckdb/planner/operator/logical_projection.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

constexpr idx_t POSITION_COLUMN = 0;
constexpr idx_t SNAPSHOT_COLUMN = 1;

unique_ptr<Expression> Constant(Value value) {
	return make_uniq<BoundConstantExpression>(std::move(value));
}

template <class... ARGUMENTS>
unique_ptr<Expression> Call(ClientContext &context, const string &name, ARGUMENTS... arguments) {
	vector<unique_ptr<Expression>> list;
	(list.push_back(std::move(arguments)), ...);
	ErrorData error;
	auto result = FunctionBinder(context).BindScalarFunction(DEFAULT_SCHEMA, Identifier(name), std::move(list), error);
	if (!result) {
		error.Throw();
	}
	return result;
}

//! What a file is called among the keys of the join, shorter than its path
unique_ptr<Expression> KeyOf(ClientContext &context, unique_ptr<Expression> path) {
	return Call(context, "hash", std::move(path));
}

unique_ptr<Expression> Column(const LogicalGet &get, idx_t position) {
	return make_uniq<BoundColumnRefExpression>(get.types.at(position),
	                                           ColumnBinding(get.table_index, ProjectionIndex(position)));
}

//! The positions of one of the columns that a scan adds to those of its files; adds it if it is not there
idx_t Add(LogicalGet &get, column_t column) {
	vector<ColumnIndex> columns = get.GetColumnIds();
	columns.emplace_back(column);
	auto position = columns.size() - 1;
	get.SetColumnIds(std::move(columns));
	return position;
}

//! A query that only counts asks for a column that is none. Something has to stand in its place
vector<bool> ReplaceEmptyColumns(LogicalGet &get) {
	vector<ColumnIndex> columns = get.GetColumnIds();
	vector<bool> empty;
	for (auto &column : columns) {
		empty.push_back(column.GetPrimaryIndex() == COLUMN_IDENTIFIER_EMPTY);
		if (empty.back()) {
			column = ColumnIndex(MultiFileReader::COLUMN_IDENTIFIER_FILE_ROW_NUMBER);
		}
	}
	get.SetColumnIds(std::move(columns));
	return empty;
}

//! By data file, its key; empty if two have the same
unordered_map<string, Value> KeysOf(ClientContext &context, const vector<string> &files) {
	unordered_map<string, Value> keys;
	unordered_set<uint64_t> seen;
	for (auto &file : files) {
		auto key = ExpressionExecutor::EvaluateScalar(context, *KeyOf(context, Constant(Value(file))));
		if (!seen.insert(key.GetValue<uint64_t>()).second) {
			return {};
		}
		keys[file] = std::move(key);
	}
	return keys;
}

//! Rows (key of the data file, position), of the table index `index`
unique_ptr<LogicalOperator> Positions(ClientContext &context, unique_ptr<LogicalGet> get,
                                      const unordered_map<string, Value> &keys, const vector<LakeDeletes> &deletes,
                                      idx_t snapshot, TableIndex index) {
	auto file = Add(*get, MultiFileReader::COLUMN_IDENTIFIER_FILENAME);
	get->ResolveOperatorTypes();

	auto in_all = make_uniq<BoundOperatorExpression>(ExpressionType::OPERATOR_IS_NULL, LogicalType::BOOLEAN);
	in_all->GetChildrenMutable().push_back(Column(*get, SNAPSHOT_COLUMN));
	auto in_ours =
	    BoundComparisonExpression::Create(ExpressionType::COMPARE_LESSTHANOREQUALTO, Column(*get, SNAPSHOT_COLUMN),
	                                      Constant(Value::BIGINT(NumericCast<int64_t>(snapshot))));
	auto filter = make_uniq<LogicalFilter>(
	    make_uniq<BoundConjunctionExpression>(ExpressionType::CONJUNCTION_OR, std::move(in_all), std::move(in_ours)));

	vector<Value> delete_files;
	vector<Value> data_keys;
	for (auto &entry : deletes) {
		delete_files.emplace_back(entry.delete_file);
		data_keys.push_back(keys.at(entry.data_file));
	}
	auto place = Call(context, "list_position", Constant(Value::LIST(LogicalType::VARCHAR, std::move(delete_files))),
	                  Column(*get, file));
	auto found = Call(context, "list_extract", Constant(Value::LIST(LogicalType::UBIGINT, std::move(data_keys))),
	                  std::move(place));
	// a file that is none of the list would bring deleted rows back
	auto unknown =
	    Call(context, "error", Constant(Value("A file with deletes of a lake is not where it was expected")));
	auto key = make_uniq<BoundOperatorExpression>(ExpressionType::OPERATOR_COALESCE, LogicalType::UBIGINT);
	key->GetChildrenMutable().push_back(std::move(found));
	key->GetChildrenMutable().push_back(
	    BoundCastExpression::AddCastToType(context, std::move(unknown), LogicalType::UBIGINT));

	vector<unique_ptr<Expression>> columns;
	columns.push_back(std::move(key));
	columns.push_back(Column(*get, POSITION_COLUMN));
	auto rows = get->estimated_cardinality;
	filter->SetEstimatedCardinality(rows);
	filter->children.push_back(std::move(get));
	auto projection = make_uniq<LogicalProjection>(index, std::move(columns));
	projection->SetEstimatedCardinality(rows);
	projection->children.push_back(std::move(filter));
	projection->ResolveOperatorTypes();
	return projection;
}

JoinCondition Equal(unique_ptr<Expression> left, unique_ptr<Expression> right) {
	return MakeCondition(std::move(left), std::move(right), ExpressionType::COMPARE_EQUAL);
}

} // namespace

unique_ptr<LogicalOperator> WithoutDeleted(ClientContext &context, Binder &binder, ScanOfFiles scan,
                                           unique_ptr<LogicalGet> positions, const vector<string> &data_files,
                                           const vector<LakeDeletes> &deletes, idx_t snapshot, TableIndex result_index,
                                           optional_ptr<const LogicalOperator> &join_result) {
	auto keys = KeysOf(context, data_files);
	if (keys.empty()) {
		return nullptr;
	}
	auto &get = *scan.get;
	auto cardinality = get.estimated_cardinality;
	get.projection_ids.clear();
	auto empty = ReplaceEmptyColumns(get);
	auto file = Add(get, MultiFileReader::COLUMN_IDENTIFIER_FILENAME);
	auto row = Add(get, MultiFileReader::COLUMN_IDENTIFIER_FILE_ROW_NUMBER);
	get.ResolveOperatorTypes();

	auto positions_index = binder.GenerateTableIndex();
	auto right = Positions(context, std::move(positions), keys, deletes, snapshot, positions_index);
	vector<unique_ptr<Expression>> columns;
	for (idx_t i = 0; i < scan.bindings.size(); i++) {
		// by their place among the columns of the scan, whether it shows all of them or not
		auto position = scan.bindings[i].column_index;
		columns.push_back(empty.at(position) ? Constant(Value(scan.types[i])) : Column(get, position));
		if (columns.back()->GetReturnType() != scan.types[i]) {
			throw InternalException("A lake's scan shows a column as %s, which its files have as %s",
			                        scan.types[i].ToString(), columns.back()->GetReturnType().ToString());
		}
	}
	auto join = make_uniq<LogicalComparisonJoin>(JoinType::ANTI);
	join->conditions.push_back(Equal(
	    KeyOf(context, Column(get, file)),
	    make_uniq<BoundColumnRefExpression>(LogicalType::UBIGINT, ColumnBinding(positions_index, ProjectionIndex(0)))));
	join->conditions.push_back(Equal(
	    Column(get, row),
	    make_uniq<BoundColumnRefExpression>(LogicalType::BIGINT, ColumnBinding(positions_index, ProjectionIndex(1)))));
	join->SetEstimatedCardinality(cardinality);
	join->children.push_back(std::move(scan.get));
	join->children.push_back(std::move(right));
	join_result = join.get();

	auto result = make_uniq<LogicalProjection>(result_index, std::move(columns));
	result->SetEstimatedCardinality(cardinality);
	result->children.push_back(std::move(join));
	result->ResolveOperatorTypes();
	return result;
}

} // namespace duckherder
