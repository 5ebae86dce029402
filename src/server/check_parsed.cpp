#include "server/check_parsed.hpp"

#include "compat/statements.hpp"
#include "server/granted.hpp"

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/common/type_visitor.hpp"
#include "duckdb/function/scalar_macro_function.hpp"
#include "duckdb/function/table_macro_function.hpp"
#include "duckdb/parser/parsed_expression_iterator.hpp"
#include "duckdb/parser/tableref/list.hpp"

#include <algorithm>
#include <set>

namespace duckherder {

using namespace duckdb;

namespace {

//! Views and macros that one statement may lead to
constexpr uint32_t EXPANSIONS_MAX = 10000;
//! And within each other
constexpr uint32_t EXPANSION_DEPTH_MAX = 100;

//! What the binder puts into plans: no function for texts
bool OnlyBinderCalls(const std::string &lower_name) {
	static const std::set<std::string> names = {"seq_scan", "ducklake_scan"};
	return names.count(lower_name) > 0;
}

bool IsUnnest(const std::string &lower_name) {
	return lower_name == "unnest" || lower_name == "unlist";
}

uint16_t PowersOfTableFunction(const CatalogEntry &entry) {
	auto name = StringUtil::Lower(NameText(entry.name));
	if (!entry.internal || OnlyBinderCalls(name)) {
		return FunctionPower::ALL;
	}
	auto kind = entry.type == CatalogType::TABLE_MACRO_ENTRY ? FunctionKind::TABLE_MACRO : FunctionKind::TABLE;
	return TraitsOf(kind, name).powers;
}

} // namespace

class ParsedCheck::Inner {
public:
	explicit Inner(ParsedCheck &check_p) : check(check_p), outer(check_p.scope) {
	}
	~Inner() {
		check.scope = std::move(outer);
	}
	Inner(const Inner &) = delete;
	Inner &operator=(const Inner &) = delete;

private:
	ParsedCheck &check;
	Scope outer;
};

ParsedCheck::ParsedCheck(ClientContext &context_p, Role role_p) : context(context_p), role(role_p) {
	scope.granted = GrantedPowers(role);
	scope.names = std::make_shared<CatalogEntryRetriever>(context);
}

bool ParsedCheck::IsCte(const std::string &name) const {
	return std::find(scope.ctes.begin(), scope.ctes.end(), StringUtil::Lower(name)) != scope.ctes.end();
}

void ParsedCheck::CountExpansion() {
	if (++expansions > EXPANSIONS_MAX || depth > EXPANSION_DEPTH_MAX) {
		throw BinderException("The statement leads to more than %d views and macros, or to more than %d within each "
		                      "other",
		                      EXPANSIONS_MAX, EXPANSION_DEPTH_MAX);
	}
}

std::vector<reference<CatalogEntry>> ParsedCheck::Lookup(CatalogType type, const WrittenName &name) {
	if (name.nested) {
		Refuse("A name within a schema of a schema", role);
	}
	std::vector<reference<CatalogEntry>> found;
	auto look = [&](const std::string &in_catalog, const std::string &in_schema) {
		if (auto entry = FindEntry(*scope.names, type, {in_catalog, in_schema, name.name})) {
			found.push_back(*entry);
		}
	};
	look(name.catalog, name.schema);
	if (name.catalog.empty() && !name.schema.empty() && DatabaseNamed(context, name.schema)) {
		look(name.schema, "");
	}
	return found;
}

void ParsedCheck::Ctes(CommonTableExpressionMap &ctes) {
	for (auto &cte : ctes.map) {
		Expressions(cte.second->key_targets);
		if (auto query = QueryOf(*cte.second)) {
			Node(*query);
		}
		// those that follow see it, and nothing before
		scope.ctes.push_back(StringUtil::Lower(NameText(cte.first)));
	}
}

void ParsedCheck::Node(QueryNode &node) {
	Inner inner(*this);
	Ctes(node.cte_map);
	switch (node.type) {
	case QueryNodeType::SELECT_NODE:
		SelectOf(node);
		break;
	case QueryNodeType::SET_OPERATION_NODE:
		for (auto &child : node.Cast<SetOperationNode>().children) {
			Node(*child);
		}
		break;
	case QueryNodeType::RECURSIVE_CTE_NODE: {
		auto &recursive = node.Cast<RecursiveCTENode>();
		Node(*recursive.left);
		scope.ctes.push_back(StringUtil::Lower(NameText(recursive.ctename)));
		Node(*recursive.right);
		Expressions(recursive.key_targets);
		break;
	}
	case QueryNodeType::CTE_NODE: {
		auto &cte = node.Cast<CTENode>();
		Node(*cte.query);
		scope.ctes.push_back(StringUtil::Lower(NameText(cte.ctename)));
		Node(*cte.child);
		break;
	}
	default:
		Refuse("This kind of query", role);
	}
	Modifiers(node);
}

void ParsedCheck::SelectOf(QueryNode &node) {
	auto &select = node.Cast<SelectNode>();
	Expressions(select.select_list);
	if (select.from_table) {
		Table(*select.from_table);
	}
	Optional(select.where_clause);
	Expressions(select.groups.group_expressions);
	Optional(select.having);
	Optional(select.qualify);
}

void ParsedCheck::Modifiers(QueryNode &node) {
	for (auto &modifier : node.modifiers) {
		auto type = modifier->type;
		if (!IsLimit(type) && type != ResultModifierType::ORDER_MODIFIER &&
		    type != ResultModifierType::DISTINCT_MODIFIER) {
			Refuse("This kind of result modifier", role);
		}
	}
	ParsedExpressionIterator::EnumerateQueryNodeModifiers(
	    node, [&](unique_ptr<ParsedExpression> &child) { Expression(*child); });
}

void ParsedCheck::Table(TableRef &ref) {
	switch (ref.type) {
	case TableReferenceType::BASE_TABLE:
		BaseTable(ref);
		break;
	case TableReferenceType::SUBQUERY:
		Node(*ref.Cast<SubqueryRef>().subquery->node);
		break;
	case TableReferenceType::JOIN: {
		auto &join = ref.Cast<JoinRef>();
		Table(*join.left);
		Table(*join.right);
		Optional(join.condition);
		if (auto ranking = RankingOf(join)) {
			Expression(*ranking);
		}
		Expressions(join.duplicate_eliminated_columns);
		break;
	}
	case TableReferenceType::TABLE_FUNCTION: {
		auto &function = ref.Cast<TableFunctionRef>();
		TableFunction(*function.function);
		if (function.subquery) {
			Node(*function.subquery->node);
		}
		break;
	}
	case TableReferenceType::EXPRESSION_LIST:
		for (auto &row : ref.Cast<ExpressionListRef>().values) {
			Expressions(row);
		}
		break;
	case TableReferenceType::EMPTY_FROM:
		break;
	case TableReferenceType::PIVOT:
		Pivot(ref);
		break;
	case TableReferenceType::SHOW_REF: {
		auto &show = ref.Cast<ShowRef>();
		if (show.query) {
			Node(*show.query);
		}
		// without a query it lists, or looks a name up in, the catalog
		break;
	}
	default:
		Refuse("This kind of table", role);
	}
}

void ParsedCheck::BaseTable(TableRef &table_ref) {
	auto &ref = table_ref.Cast<BaseTableRef>();
	if (ref.at_clause) {
		Optional(ref.at_clause->ExpressionMutable());
	}
	auto name = NameOf(ref);
	auto may_be_cte = name.catalog.empty() && (name.schema.empty() || name.schema == "recurring");
	if (may_be_cte && IsCte(name.name)) {
		return;
	}
	auto entries = Lookup(CatalogType::TABLE_ENTRY, name);
	if (entries.empty() && !scope.in_view) {
		// DuckDB would take it for the name of a file
		throw CatalogException("Table with name %s does not exist! With the role '%s' a name is a table's or a view's, "
		                       "never a file's",
		                       name.name, RoleName(role));
	}
	for (auto &entry : entries) {
		Entry(entry.get());
	}
}

void ParsedCheck::Entry(CatalogEntry &entry) {
	if (!IsServed(entry.ParentCatalog().GetAttached(), role)) {
		Refuse("The database \"" + entry.ParentCatalog().GetName() + "\"", role);
	}
	if (entry.type == CatalogType::VIEW_ENTRY) {
		View(entry.Cast<ViewCatalogEntry>());
	} else if (entry.type != CatalogType::TABLE_ENTRY) {
		Refuse("\"" + entry.name + "\", which is neither table nor view,", role);
	}
}

void ParsedCheck::View(ViewCatalogEntry &view) {
	CountExpansion();
	Inner inner(*this);
	scope.ctes.clear();
	if (!view.internal) {
		// by who made it; the driver's own paths end there, too
		scope.granted = static_cast<uint16_t>(scope.granted | VIEW_POWERS);
		scope.in_view = true;
	}
	// as Binder::GetSearchPath has it
	auto &catalog = view.ParentCatalog();
	vector<CatalogSearchEntry> path;
	path.emplace_back(catalog.GetName(), view.ParentSchema().name);
	path.emplace_back(catalog.GetName(), INVALID_SCHEMA, true);
	auto names = std::make_shared<CatalogEntryRetriever>(context);
	names->SetSearchPath(std::move(path));
	scope.names = std::move(names);
	depth++;
	auto query = view.GetQuery().Copy();
	Node(*query->Cast<SelectStatement>().node);
	depth--;
}

void ParsedCheck::Macros(MacroCatalogEntry &entry) {
	CountExpansion();
	if (!IsServed(entry.ParentCatalog().GetAttached(), role)) {
		Refuse("The database \"" + entry.ParentCatalog().GetName() + "\"", role);
	}
	depth++;
	for (auto &macro : entry.macros) {
		Macro(*macro);
	}
	depth--;
}

void ParsedCheck::Macro(const MacroFunction &macro) {
	for (auto &parameter : macro.default_parameters) {
		Expression(*parameter.second);
	}
	for (auto &type : macro.types) {
		Type(type);
	}
	if (macro.type == MacroType::SCALAR_MACRO) {
		Expression(*macro.Cast<ScalarMacroFunction>().expression);
	} else if (macro.type == MacroType::TABLE_MACRO) {
		Node(*macro.Cast<TableMacroFunction>().query_node);
	} else {
		Refuse("This kind of macro", role);
	}
}

void ParsedCheck::Pivot(TableRef &ref) {
	auto &pivot = ref.Cast<PivotRef>();
	if (pivot.source) {
		Table(*pivot.source);
	}
	Expressions(pivot.aggregates);
	for (auto &column : pivot.pivots) {
		Expressions(column.pivot_expressions);
		for (auto &entry : column.entries) {
			Optional(entry.expr);
		}
		if (column.subquery) {
			Node(*column.subquery);
		}
	}
}

void ParsedCheck::TableFunction(ParsedExpression &call) {
	if (call.GetExpressionClass() != ExpressionClass::FUNCTION) {
		Refuse("This kind of table function", role);
	}
	auto &function = call.Cast<FunctionExpression>();
	auto written = NameOf(function);
	auto name = StringUtil::Lower(written.name);
	ParsedExpressionIterator::EnumerateChildren(call, [&](ParsedExpression &child) { Expression(child); });
	if (name == "duckherder_workers" && !HasArguments(function)) {
		// as `duckherder status` shows it to whoever has a token; other drivers are asked with this one's own
		return;
	}
	auto entries = Lookup(CatalogType::TABLE_FUNCTION_ENTRY, written);
	if (entries.empty() && !IsUnnest(name)) {
		CheckPowers(written.name, TraitsOf(FunctionKind::TABLE, name).powers, scope.granted, role);
	}
	for (auto &found : entries) {
		auto &entry = found.get();
		if (entry.type == CatalogType::TABLE_MACRO_ENTRY && !entry.internal) {
			Macros(entry.Cast<MacroCatalogEntry>());
		} else {
			CheckPowers(NameText(entry.name), PowersOfTableFunction(entry), scope.granted, role);
		}
	}
}

void ParsedCheck::FunctionEntry(CatalogEntry &entry, const std::string &name) {
	if (entry.type == CatalogType::MACRO_ENTRY && !entry.internal) {
		Macros(entry.Cast<MacroCatalogEntry>());
		return;
	}
	auto known = entry.internal && entry.ParentCatalog().IsSystemCatalog();
	CheckPowers(name, known ? PowersOfCall(name) : static_cast<uint16_t>(FunctionPower::ALL), scope.granted, role);
}

void ParsedCheck::Function(const WrittenName &written) {
	auto &name = written.name;
	auto lower_name = StringUtil::Lower(name);
	if (IsUnnest(lower_name)) {
		return;
	}
	auto entries = Lookup(CatalogType::SCALAR_FUNCTION_ENTRY, written);
	if (!written.schema.empty()) {
		// column.function(…) calls the function of that name, wherever it is
		auto others = Lookup(CatalogType::SCALAR_FUNCTION_ENTRY, {"", "", name});
		entries.insert(entries.end(), others.begin(), others.end());
	}
	if (entries.empty()) {
		CheckPowers(name, PowersOfCall(lower_name), scope.granted, role);
	}
	for (auto &entry : entries) {
		FunctionEntry(entry.get(), name);
	}
}

void ParsedCheck::Expression(ParsedExpression &expression) {
	switch (expression.GetExpressionClass()) {
	case ExpressionClass::BETWEEN:
	case ExpressionClass::CASE:
	case ExpressionClass::COLLATE:
	case ExpressionClass::COLUMN_REF:
	case ExpressionClass::COMPARISON:
	case ExpressionClass::CONJUNCTION:
	case ExpressionClass::CONSTANT:
	case ExpressionClass::DEFAULT:
	case ExpressionClass::LAMBDA:
	case ExpressionClass::LAMBDA_REF:
	case ExpressionClass::OPERATOR:
	case ExpressionClass::PARAMETER:
	case ExpressionClass::POSITIONAL_REFERENCE:
	case ExpressionClass::STAR:
	case ExpressionClass::TYPE:
		break;
	case ExpressionClass::CAST:
		Type(TargetOf(expression.Cast<CastExpression>()));
		break;
	case ExpressionClass::FUNCTION:
		Function(NameOf(expression.Cast<FunctionExpression>()));
		break;
	case ExpressionClass::WINDOW:
		Function(NameOf(expression.Cast<WindowExpression>()));
		break;
	case ExpressionClass::SUBQUERY:
		Node(SubqueryOf(expression.Cast<SubqueryExpression>()));
		break;
	default:
		Refuse("This kind of expression", role);
	}
	ParsedExpressionIterator::EnumerateChildren(expression, [&](ParsedExpression &child) { Expression(child); });
}

void ParsedCheck::Type(const LogicalType &type) {
	TypeVisitor::Contains(type, [&](const LogicalType &inner) {
		if (inner.id() == LogicalTypeId::UNBOUND) {
			// its parameters are expressions
			auto copy = UnboundType::GetTypeExpression(inner)->Copy();
			Expression(*copy);
		}
		return false;
	});
}

void ParsedCheck::Expressions(vector<unique_ptr<ParsedExpression>> &expressions) {
	for (auto &expression : expressions) {
		Expression(*expression);
	}
}

void ParsedCheck::Optional(const unique_ptr<ParsedExpression> &expression) {
	if (expression) {
		Expression(*expression);
	}
}

} // namespace duckherder
