#include "client/rename_database.hpp"

#include "client/remote_place.hpp"
#include "compat/definitions.hpp"

#include "duckdb/common/string_util.hpp"
#include "duckdb/function/scalar_macro_function.hpp"
#include "duckdb/function/table_macro_function.hpp"
#include "duckdb/parser/expression/columnref_expression.hpp"
#include "duckdb/parser/expression/function_expression.hpp"
#include "duckdb/parser/expression/subquery_expression.hpp"
#include "duckdb/parser/parsed_data/alter_table_info.hpp"
#include "duckdb/parser/parsed_data/create_macro_info.hpp"
#include "duckdb/parser/parsed_data/create_table_info.hpp"
#include "duckdb/parser/parsed_data/create_view_info.hpp"
#include "duckdb/parser/parsed_expression_iterator.hpp"
#include "duckdb/parser/statement/select_statement.hpp"
#include "duckdb/parser/tableref/basetableref.hpp"

namespace duckherder {

using namespace duckdb;

DatabaseRename::DatabaseRename(std::string from_p, std::string to_p,
                               std::function<bool(const std::string &)> has_schema_p)
    : from(std::move(from_p)), to(std::move(to_p)), has_schema(std::move(has_schema_p)) {
}

bool DatabaseRename::IsOurs(const std::string &name) const {
	return StringUtil::CIEquals(name, from);
}

void DatabaseRename::Rename(string &catalog, string &schema) const {
	if (IsOurs(catalog)) {
		catalog = to;
	} else if (catalog.empty() && IsOurs(schema) && !has_schema(schema)) {
		// database.table
		catalog = to;
		schema = string();
	}
}

void DatabaseRename::Apply(ParseInfo &definition) const {
	if (definition.info_type == ParseInfoType::ALTER_INFO) {
		auto table = dynamic_cast<AlterTableInfo *>(&definition);
		if (table && table->alter_table_type == AlterTableType::SET_DEFAULT) {
			auto &info = table->Cast<SetDefaultInfo>();
			if (info.expression) {
				Apply(*info.expression);
			}
		} else if (table && table->alter_table_type == AlterTableType::ADD_COLUMN) {
			auto &column = table->Cast<AddColumnInfo>().new_column;
			if (column.HasDefaultValue()) {
				Apply(const_cast<ParsedExpression &>(column.DefaultValue()));
			}
		}
		return;
	}
	if (definition.info_type != ParseInfoType::CREATE_INFO) {
		return;
	}
	auto &info = definition.Cast<CreateInfo>();
	switch (info.type) {
	case CatalogType::VIEW_ENTRY:
		Apply(*info.Cast<CreateViewInfo>().query->node);
		break;
	case CatalogType::MACRO_ENTRY:
	case CatalogType::TABLE_MACRO_ENTRY:
		for (auto &macro : info.Cast<CreateMacroInfo>().macros) {
			if (macro->type == MacroType::SCALAR_MACRO) {
				Apply(*macro->Cast<ScalarMacroFunction>().expression);
			} else if (macro->type == MacroType::TABLE_MACRO) {
				Apply(*macro->Cast<TableMacroFunction>().query_node);
			}
		}
		break;
	case CatalogType::TABLE_ENTRY:
		for (auto &column : info.Cast<CreateTableInfo>().columns.Logical()) {
			if (!column.Generated() && column.HasDefaultValue()) {
				// the list gives its columns only for reading
				Apply(const_cast<ParsedExpression &>(column.DefaultValue()));
			}
		}
		break;
	default:
		break;
	}
}

void DatabaseRename::Apply(QueryNode &node) const {
	ParsedExpressionIterator::EnumerateQueryNodeChildren(
	    node, [&](unique_ptr<ParsedExpression> &child) { Apply(*child); }, [&](TableRef &ref) { Apply(ref); });
}

void DatabaseRename::Apply(TableRef &ref) const {
	if (ref.type == TableReferenceType::BASE_TABLE) {
		ChangePlaceOf(ref.Cast<BaseTableRef>(), [&](string &catalog, string &schema) { Rename(catalog, schema); });
	}
}

void DatabaseRename::Apply(ParsedExpression &expression) const {
	switch (expression.GetExpressionClass()) {
	case ExpressionClass::COLUMN_REF: {
		auto &parts = PartsOf(expression.Cast<ColumnRefExpression>());
		// database.schema.table.column, database.table.column
		if (parts.size() >= 3 && IsOurs(NameText(parts[0])) && (parts.size() > 3 || !has_schema(NameText(parts[0])))) {
			parts[0] = Identifier(to);
		}
		break;
	}
	case ExpressionClass::SUBQUERY:
		Apply(SubqueryOf(expression.Cast<SubqueryExpression>()));
		break;
	case ExpressionClass::FUNCTION: {
		auto &function = expression.Cast<FunctionExpression>();
		auto rename = [&](string &catalog, string &schema) { Rename(catalog, schema); };
		ChangePlaceOf(function, rename);
		if (UsesSequence(NameOf(function).name)) {
			ChangePlaceOfSequence(function, rename);
		}
		break;
	}
	default:
		break;
	}
	ParsedExpressionIterator::EnumerateChildren(expression,
	                                            [&](unique_ptr<ParsedExpression> &child) { Apply(*child); });
}

} // namespace duckherder
