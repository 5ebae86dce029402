#pragma once

#include "compat/statements.hpp"
#include "protocol/role.hpp"

#include "duckdb.hpp"
#include "duckdb/catalog/catalog_entry/macro_catalog_entry.hpp"
#include "duckdb/catalog/catalog_entry/view_catalog_entry.hpp"
#include "duckdb/catalog/catalog_entry_retriever.hpp"
#include "duckdb/function/macro_function.hpp"
#include "duckdb/parser/parsed_expression.hpp"
#include "duckdb/parser/query_node.hpp"
#include "duckdb/parser/tableref.hpp"

#include <memory>
#include <string>
#include <vector>

namespace duckherder {

//! Walks queries as the parser made them, before anything of them is bound: binding runs the arguments of table
//! functions, and opens files to learn their columns. It allows what it knows. Tables have to be in the catalog, where
//! names are looked up as DuckDB's binder does; views and macros are walked, each with its own names. Throws
//! PermissionException for what the role may not, CatalogException for a table that is not there. Only reads, though
//! DuckDB enumerates through non-const references. For one thread; a transaction has to be active.
class ParsedCheck {
public:
	ParsedCheck(duckdb::ClientContext &context, Role role);

	void Node(duckdb::QueryNode &node);
	void Table(duckdb::TableRef &ref);
	void Expression(duckdb::ParsedExpression &expression);
	void Type(const duckdb::LogicalType &type);
	void Macro(const duckdb::MacroFunction &macro);
	//! What its text reads, as an expansion of the view would
	void View(duckdb::ViewCatalogEntry &view);
	//! Common table expressions before a statement that is no query; they are visible until the check ends
	void Ctes(duckdb::CommonTableExpressionMap &ctes);

private:
	//! What names mean at a place of the statement
	struct Scope {
		//! Common table expressions, in lower case
		std::vector<std::string> ctes;
		uint16_t granted = 0;
		//! In the text of a view
		bool in_view = false;
		//! The path on which entries are looked up
		std::shared_ptr<duckdb::CatalogEntryRetriever> names;
	};
	//! Puts back the scope that was there before
	class Inner;

	void SelectOf(duckdb::QueryNode &node);
	void Modifiers(duckdb::QueryNode &node);
	void BaseTable(duckdb::TableRef &ref);
	void TableFunction(duckdb::ParsedExpression &call);
	void Pivot(duckdb::TableRef &ref);
	void Function(const WrittenName &written);
	void FunctionEntry(duckdb::CatalogEntry &entry, const std::string &name);
	void Entry(duckdb::CatalogEntry &entry);
	void Expressions(duckdb::vector<duckdb::unique_ptr<duckdb::ParsedExpression>> &expressions);
	void Optional(const duckdb::unique_ptr<duckdb::ParsedExpression> &expression);
	void Macros(duckdb::MacroCatalogEntry &entry);
	//! All that the name may stand for: `a.b` is the table b of the schema a, or of the database a
	std::vector<duckdb::reference<duckdb::CatalogEntry>> Lookup(duckdb::CatalogType type, const WrittenName &name);
	bool IsCte(const std::string &name) const;
	//! Views and macros within each other; throws where there is no end to them
	void CountExpansion();

	duckdb::ClientContext &context;
	const Role role;
	Scope scope;
	uint32_t expansions = 0;
	uint32_t depth = 0;
};

} // namespace duckherder
