#include "server/check_statement.hpp"

#include "compat/statements.hpp"
#include "server/check_parsed.hpp"
#include "server/granted.hpp"

#include "duckdb/parser/constraints/check_constraint.hpp"
#include "duckdb/parser/parsed_data/alter_table_info.hpp"
#include "duckdb/parser/parsed_data/create_index_info.hpp"
#include "duckdb/parser/parsed_data/create_macro_info.hpp"
#include "duckdb/parser/parsed_data/create_table_info.hpp"
#include "duckdb/parser/parsed_data/create_type_info.hpp"
#include "duckdb/parser/parsed_data/create_view_info.hpp"
#include "duckdb/parser/statement/list.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! One statement; its methods walk what each kind of statement is made of
class StatementCheck {
public:
	StatementCheck(ClientContext &context_p, Role role_p)
	    : context(context_p), role(role_p), parsed(context_p, role_p) {
	}

	void Check(SQLStatement &statement);

private:
	using ExpressionList = vector<unique_ptr<ParsedExpression>>;

	void NeedsWrite(const SQLStatement &statement);
	//! Names of databases, wherever they stand
	void CheckNames(const WrittenName &written);

	void Check(InsertNode &insert);
	void Check(UpdateNode &update);
	void Check(DeleteNode &removal);
	void Check(MergeNode &merge);
	void Check(SetStatement &set);
	void Create(CreateInfo &info);
	void CreateTable(CreateTableInfo &info);
	void CreateIndex(CreateIndexInfo &info);
	void Alter(AlterInfo &info);
	void AlterTable(AlterTableInfo &info);
	void Drop(const DropInfo &info);

	void Column(const ColumnDefinition &column);
	void CheckConstraint(Constraint &constraint);
	void Set(UpdateSetInfo &set);
	void List(ExpressionList &expressions);
	void Optional(const unique_ptr<ParsedExpression> &expression);

	ClientContext &context;
	const Role role;
	ParsedCheck parsed;
};

void StatementCheck::NeedsWrite(const SQLStatement &statement) {
	if (role < Role::WRITE) {
		throw PermissionException("%s needs the role 'write', this token has the role '%s'",
		                          StatementTypeToString(statement.type), RoleName(role));
	}
}

void StatementCheck::CheckNames(const WrittenName &written) {
	if (written.nested) {
		Refuse("A name within a schema of a schema", role);
	}
	for (auto &name : {written.catalog, written.schema}) {
		auto database = name.empty() ? nullptr : DatabaseNamed(context, name);
		if (database && !IsServed(*database, role)) {
			Refuse("The database \"" + name + "\"", role);
		}
	}
}

void StatementCheck::List(ExpressionList &expressions) {
	for (auto &expression : expressions) {
		parsed.Expression(*expression);
	}
}

void StatementCheck::Optional(const unique_ptr<ParsedExpression> &expression) {
	if (expression) {
		parsed.Expression(*expression);
	}
}

void StatementCheck::Check(SQLStatement &statement) {
	switch (statement.type) {
	case StatementType::SELECT_STATEMENT:
		parsed.Node(*statement.Cast<SelectStatement>().node);
		return;
	case StatementType::EXPLAIN_STATEMENT:
		Check(*statement.Cast<ExplainStatement>().stmt);
		return;
	case StatementType::SET_STATEMENT:
		Check(statement.Cast<SetStatement>());
		return;
	default:
		break;
	}
	switch (statement.type) {
	case StatementType::INSERT_STATEMENT:
		NeedsWrite(statement);
		Check(NodeOf(statement.Cast<InsertStatement>()));
		return;
	case StatementType::UPDATE_STATEMENT:
		NeedsWrite(statement);
		Check(NodeOf(statement.Cast<UpdateStatement>()));
		return;
	case StatementType::DELETE_STATEMENT:
		NeedsWrite(statement);
		Check(NodeOf(statement.Cast<DeleteStatement>()));
		return;
	case StatementType::MERGE_INTO_STATEMENT:
		NeedsWrite(statement);
		Check(NodeOf(statement.Cast<MergeIntoStatement>()));
		return;
	case StatementType::CREATE_STATEMENT:
		if (statement.Cast<CreateStatement>().info->type != CatalogType::SECRET_ENTRY) {
			NeedsWrite(statement);
		}
		Create(*statement.Cast<CreateStatement>().info);
		return;
	case StatementType::ALTER_STATEMENT:
		NeedsWrite(statement);
		Alter(*statement.Cast<AlterStatement>().info);
		return;
	case StatementType::DROP_STATEMENT:
		if (statement.Cast<DropStatement>().info->type != CatalogType::SECRET_ENTRY) {
			NeedsWrite(statement);
		}
		Drop(*statement.Cast<DropStatement>().info);
		return;
	default:
		Refuse(StatementTypeToString(statement.type), role);
	}
}

void StatementCheck::Check(SetStatement &set) {
	auto names_schema =
	    set.set_type == SetType::SET && set.scope != SetScope::GLOBAL &&
	    StringUtil::Lower(NameText(set.name)) == "schema" &&
	    static_cast<SetVariableStatement &>(set).value->GetExpressionClass() == ExpressionClass::CONSTANT;
	if (!names_schema) {
		// USE is for everybody: it says where the connection's names are looked up
		Refuse("SET", role);
	}
}

void StatementCheck::Set(UpdateSetInfo &set) {
	Optional(set.condition);
	List(set.expressions);
}

void StatementCheck::Check(InsertNode &insert) {
	CheckNames(NameOf(insert));
	parsed.Ctes(insert.cte_map);
	if (insert.table_ref) {
		parsed.Table(*insert.table_ref);
	}
	if (insert.select_statement) {
		parsed.Node(*insert.select_statement->node);
	}
	List(insert.returning_list);
	if (insert.on_conflict_info) {
		Optional(insert.on_conflict_info->condition);
		if (insert.on_conflict_info->set_info) {
			Set(*insert.on_conflict_info->set_info);
		}
	}
}

void StatementCheck::Check(UpdateNode &update) {
	parsed.Ctes(update.cte_map);
	parsed.Table(*update.table);
	if (update.from_table) {
		parsed.Table(*update.from_table);
	}
	if (update.set_info) {
		Set(*update.set_info);
	}
	List(update.returning_list);
}

void StatementCheck::Check(DeleteNode &removal) {
	parsed.Ctes(removal.cte_map);
	parsed.Table(*removal.table);
	for (auto &table : removal.using_clauses) {
		parsed.Table(*table);
	}
	Optional(removal.condition);
	List(removal.returning_list);
}

void StatementCheck::Check(MergeNode &merge) {
	parsed.Ctes(merge.cte_map);
	parsed.Table(*merge.target);
	parsed.Table(*merge.source);
	Optional(merge.join_condition);
	for (auto &condition : merge.actions) {
		for (auto &action : condition.second) {
			Optional(action->condition);
			List(action->expressions);
			if (action->update_info) {
				Set(*action->update_info);
			}
		}
	}
	List(merge.returning_list);
}

void StatementCheck::Create(CreateInfo &info) {
	CheckNames(TargetNameOf(info));
	switch (info.type) {
	case CatalogType::SCHEMA_ENTRY:
	case CatalogType::SEQUENCE_ENTRY:
		return;
	case CatalogType::TABLE_ENTRY:
		CreateTable(info.Cast<CreateTableInfo>());
		return;
	case CatalogType::VIEW_ENTRY: {
		auto &view = info.Cast<CreateViewInfo>();
		if (view.query) {
			parsed.Node(*view.query->node);
		}
		return;
	}
	case CatalogType::INDEX_ENTRY:
		CreateIndex(info.Cast<CreateIndexInfo>());
		return;
	case CatalogType::MACRO_ENTRY:
	case CatalogType::TABLE_MACRO_ENTRY:
		for (auto &macro : info.Cast<CreateMacroInfo>().macros) {
			parsed.Macro(*macro);
		}
		return;
	case CatalogType::TYPE_ENTRY: {
		auto &type = info.Cast<CreateTypeInfo>();
		parsed.Type(type.type);
		if (type.query) {
			if (type.query->type != StatementType::SELECT_STATEMENT) {
				Refuse("This kind of type", role);
			}
			parsed.Node(*type.query->Cast<SelectStatement>().node);
		}
		return;
	}
	default:
		Refuse("CREATE " + CatalogTypeToString(info.type), role);
	}
}

void StatementCheck::Column(const ColumnDefinition &column) {
	parsed.Type(column.Type());
	auto copy = column.Copy();
	if (copy.Generated()) {
		parsed.Expression(copy.GeneratedExpressionMutable());
	} else if (copy.HasDefaultValue()) {
		auto value = copy.DefaultValue().Copy();
		parsed.Expression(*value);
	}
}

void StatementCheck::CheckConstraint(Constraint &constraint) {
	switch (constraint.type) {
	case ConstraintType::NOT_NULL:
	case ConstraintType::UNIQUE:
	case ConstraintType::FOREIGN_KEY:
		return;
	case ConstraintType::CHECK:
		parsed.Expression(*constraint.Cast<duckdb::CheckConstraint>().expression);
		return;
	default:
		Refuse("This kind of constraint", role);
	}
}

void StatementCheck::CreateTable(CreateTableInfo &info) {
	for (auto &column : info.columns.Logical()) {
		Column(column);
	}
	for (auto &constraint : info.constraints) {
		CheckConstraint(*constraint);
	}
	List(info.partition_keys);
	List(info.sort_keys);
	for (auto &option : info.options) {
		Optional(option.second);
	}
	if (info.query) {
		parsed.Node(*info.query->node);
	}
}

void StatementCheck::CreateIndex(CreateIndexInfo &info) {
	if (!info.index_type.empty() && !StringUtil::CIEquals(info.index_type, "ART")) {
		Refuse("An index of type " + info.index_type, role);
	}
	List(info.expressions);
	List(info.parsed_expressions);
}

void StatementCheck::Alter(AlterInfo &info) {
	CheckNames(NameOf(info));
	switch (info.type) {
	case AlterType::ALTER_VIEW:
	case AlterType::ALTER_SEQUENCE:
	case AlterType::CHANGE_OWNERSHIP:
	case AlterType::SET_COMMENT:
	case AlterType::SET_COLUMN_COMMENT:
		return;
	case AlterType::ALTER_TABLE:
		AlterTable(info.Cast<AlterTableInfo>());
		return;
	default:
		// the names of databases among them
		Refuse("This kind of ALTER", role);
	}
}

void StatementCheck::AlterTable(AlterTableInfo &info) {
	switch (info.alter_table_type) {
	case AlterTableType::RENAME_COLUMN:
	case AlterTableType::RENAME_TABLE:
	case AlterTableType::REMOVE_COLUMN:
	case AlterTableType::FOREIGN_KEY_CONSTRAINT:
	case AlterTableType::SET_NOT_NULL:
	case AlterTableType::DROP_NOT_NULL:
	case AlterTableType::SET_COLUMN_COMMENT:
	case AlterTableType::REMOVE_FIELD:
	case AlterTableType::RENAME_FIELD:
		return;
	case AlterTableType::ADD_COLUMN:
		Column(info.Cast<AddColumnInfo>().new_column);
		return;
	case AlterTableType::ADD_FIELD:
		Column(info.Cast<AddFieldInfo>().new_field);
		return;
	case AlterTableType::ALTER_COLUMN_TYPE: {
		auto &change = info.Cast<ChangeColumnTypeInfo>();
		parsed.Type(change.target_type);
		Optional(change.expression);
		return;
	}
	case AlterTableType::SET_DEFAULT:
		Optional(info.Cast<SetDefaultInfo>().expression);
		return;
	case AlterTableType::ADD_CONSTRAINT:
		CheckConstraint(*info.Cast<AddConstraintInfo>().constraint);
		return;
	case AlterTableType::SET_PARTITIONED_BY:
		List(info.Cast<SetPartitionedByInfo>().partition_keys);
		return;
	case AlterTableType::SET_SORTED_BY:
		for (auto &order : info.Cast<SetSortedByInfo>().orders) {
			Optional(order.expression);
		}
		return;
	default:
		Refuse("This kind of ALTER TABLE", role);
	}
}

void StatementCheck::Drop(const DropInfo &info) {
	CheckNames(NameOf(info));
	switch (info.type) {
	case CatalogType::SCHEMA_ENTRY:
	case CatalogType::TABLE_ENTRY:
	case CatalogType::VIEW_ENTRY:
	case CatalogType::INDEX_ENTRY:
	case CatalogType::SEQUENCE_ENTRY:
	case CatalogType::TYPE_ENTRY:
	case CatalogType::MACRO_ENTRY:
	case CatalogType::TABLE_MACRO_ENTRY:
		return;
	default:
		Refuse("DROP " + CatalogTypeToString(info.type), role);
	}
}

} // namespace

void CheckStatement(ClientContext &context, SQLStatement &statement, Role role) {
	if (role < Role::ADMIN) {
		StatementCheck(context, role).Check(statement);
	}
}

} // namespace duckherder
