#include "compat/definitions.hpp"

#include "duckdb/common/string_util.hpp"
#include "duckdb/parser/expression/constant_expression.hpp"
#include "duckdb/parser/qualified_name.hpp"

namespace duckherder {

using namespace duckdb;

#if DUCKHERDER_DUCKDB_MAJOR < 2

void ChangePlaceOf(BaseTableRef &table, const ChangePlace &change) {
	change(table.catalog_name, table.schema_name);
}

void ChangePlaceOf(FunctionExpression &function, const ChangePlace &change) {
	change(function.catalog, function.schema);
}

void ChangePlaceOfSequence(FunctionExpression &function, const ChangePlace &change) {
	if (function.children.size() != 1 || function.children[0]->GetExpressionClass() != ExpressionClass::CONSTANT) {
		return;
	}
	auto &value = function.children[0]->Cast<ConstantExpression>().value;
	if (value.IsNull() || value.type().id() != LogicalTypeId::VARCHAR) {
		return;
	}
	auto name = QualifiedName::Parse(StringValue::Get(value));
	auto before = name.ToString();
	change(name.catalog, name.schema);
	if (name.ToString() != before) {
		value = Value(name.ToString());
	}
}

bool IsSequenceFunction(const std::string &name) {
	return name == "nextval" || name == "currval";
}

#else

namespace {

QualifiedName WithPlaceChanged(const QualifiedName &name, const ChangePlace &change) {
	auto catalog = NameText(name.Catalog());
	auto schema = NameText(name.Schema());
	change(catalog, schema);
	if (name.Path().size() > 3) {
		// of the schemas that are in one another none can have been meant to be a database
		return name.WithCatalog(Identifier(catalog));
	}
	return QualifiedName(Identifier(catalog), Identifier(schema), name.Name());
}

} // namespace

void SetCatalog(DropInfo &info, const std::string &catalog) {
	if (info.type != CatalogType::SCHEMA_ENTRY) {
		info.SetQualifiedName(info.GetQualifiedName().WithCatalog(Identifier(catalog)));
		return;
	}
	// The name of a schema has no part for that of an entry in it, so that what WithCatalog takes for its schema is its
	// database.
	auto path = info.GetQualifiedName().Path();
	if (path.size() < 2) {
		path.insert(path.begin(), Identifier(catalog));
	} else {
		path.front() = Identifier(catalog);
	}
	info.SetQualifiedName(QualifiedName::FromPath(std::move(path)));
}

void ChangePlaceOf(BaseTableRef &table, const ChangePlace &change) {
	table.SetQualifiedName(WithPlaceChanged(table.GetQualifiedName(), change));
}

void ChangePlaceOf(FunctionExpression &function, const ChangePlace &change) {
	function.SetQualifiedName(WithPlaceChanged(function.GetQualifiedName(), change));
}

void ChangePlaceOfSequence(FunctionExpression &function, const ChangePlace &change) {
	auto &arguments = function.GetArgumentsMutable();
	if (arguments.empty() || arguments[0].GetExpression().GetExpressionClass() != ExpressionClass::CONSTANT) {
		return;
	}
	auto &literal = arguments[0].GetExpression().Cast<ConstantExpression>().GetLiteral();
	if (literal.kind != LiteralKind::STRING) {
		return;
	}
	auto name = QualifiedName::Parse(literal.text);
	auto changed = WithPlaceChanged(name, change).ToString();
	if (changed != name.ToString()) {
		arguments[0].GetExpressionMutable() = ConstantExpression::String(changed);
	}
}

bool IsSequenceFunction(const std::string &name) {
	return name == "nextval" || name == "currval" || name == "setval";
}

#endif

} // namespace duckherder
