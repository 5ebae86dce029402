#include "server/check_plan.hpp"

#include "compat/aggregates.hpp"
#include "compat/operators.hpp"
#include "engine/driver_names.hpp"
#include "engine/exchange_scan.hpp"
#include "engine/function_calls.hpp"
#include "engine/operator_traits.hpp"
#include "engine/view_scan.hpp"
#include "engine/written_table.hpp"
#include "server/check_statement.hpp"
#include "server/granted.hpp"
#include "protocol/session_role.hpp"

#include "duckdb/catalog/catalog_entry/schema_catalog_entry.hpp"
#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/common/multi_file/multi_file_states.hpp"
#include "duckdb/main/config.hpp"
#include "duckdb/parser/parsed_data/create_table_info.hpp"
#include "duckdb/parser/statement/create_statement.hpp"
#include "duckdb/planner/bound_statement.hpp"
#include "duckdb/planner/expression/list.hpp"
#include "duckdb/planner/expression_iterator.hpp"
#include "duckdb/planner/logical_operator_visitor.hpp"
#include "duckdb/planner/parsed_data/bound_create_table_info.hpp"
#include "duckdb/planner/planner_extension.hpp"

#include <functional>

namespace duckherder {

using namespace duckdb;

namespace {

using Visit = std::function<void(duckdb::Expression &expression)>;
using VisitPlan = std::function<void(LogicalOperator &op)>;

void WalkPlan(LogicalOperator &op, const VisitPlan &visit_operator, const Visit &visit);

//! Also what DuckDB's own iterator leaves out: lambdas, and subqueries that are not flattened yet
void WalkExpression(duckdb::Expression &expression, const VisitPlan &visit_operator, const Visit &visit) {
	visit(expression);
	if (expression.GetExpressionClass() == ExpressionClass::BOUND_FUNCTION) {
		if (auto lambda = LambdaOf(expression.Cast<BoundFunctionExpression>())) {
			WalkExpression(*lambda, visit_operator, visit);
		}
	} else if (expression.GetExpressionClass() == ExpressionClass::BOUND_SUBQUERY) {
		auto &subquery = SubqueryOf(expression.Cast<BoundSubqueryExpression>());
		if (subquery.plan) {
			WalkPlan(*subquery.plan, visit_operator, visit);
		}
	}
	ExpressionIterator::EnumerateChildren(
	    expression, [&](duckdb::Expression &child) { WalkExpression(child, visit_operator, visit); });
}

void WalkPlan(LogicalOperator &op, const VisitPlan &visit_operator, const Visit &visit) {
	visit_operator(op);
	LogicalOperatorVisitor::EnumerateExpressions(
	    op, [&](unique_ptr<duckdb::Expression> *child) { WalkExpression(**child, visit_operator, visit); });
	VisitDefaults(op, [&](unique_ptr<duckdb::Expression> &value) { WalkExpression(*value, visit_operator, visit); });
	for (auto &child : op.children) {
		WalkPlan(*child, visit_operator, visit);
	}
}

optional_ptr<Catalog> TargetOf(LogicalOperator &op) {
	if (auto table = WrittenTableOf(op)) {
		return table->ParentCatalog();
	}
	if (op.type == LogicalOperatorType::LOGICAL_CREATE_TABLE) {
		return op.Cast<LogicalCreateTable>().schema.ParentCatalog();
	}
	return nullptr;
}

//! The client has bound the statement, and its catalog knows of no trigger that would have become a part of it.
void CheckNoTriggers(ClientContext &context, LogicalOperator &op) {
	auto table = WrittenTableOf(op);
	if (table && HasTriggers(context, *table)) {
		throw NotImplementedException(
		    "The table \"%s\" has triggers, which statements of clients that have attached the "
		    "database do not run: write to it by duckherder_query or Flight SQL",
		    NameText(table->name));
	}
}

void CheckServed(Catalog &catalog, Role role) {
	if (!IsServed(catalog.GetAttached(), role)) {
		Refuse("The database \"" + catalog.GetName() + "\"", role);
	}
}

//! Workers open the files, too, so that not only DuckDB may ask
void CheckFile(ClientContext &context, const std::string &path) {
	if (!DBConfig::GetConfig(context).CanAccessFile(path, FileType::FILE_TYPE_REGULAR)) {
		throw PermissionException("The file \"%s\" is outside of the paths that the driver was given (--allow-path)",
		                          path);
	}
}

void CheckFiles(ClientContext &context, LogicalOperator &op) {
	if (op.type == LogicalOperatorType::LOGICAL_COPY_TO_FILE) {
		CheckFile(context, op.Cast<LogicalCopyToFile>().file_path);
	} else if (op.type == LogicalOperatorType::LOGICAL_GET) {
		auto &get = op.Cast<LogicalGet>();
		auto scan = dynamic_cast<MultiFileBindData *>(get.bind_data.get());
		// the files of a lake's table are those of its catalog
		if (scan && scan->file_list && !get.GetTable()) {
			for (auto &file : scan->file_list->GetAllFiles()) {
				CheckFile(context, file.path);
			}
		}
	}
}

//! What DuckDB's locked configuration leaves open, and other clients would feel
void CheckOfAdministrator(ClientContext &context, LogicalOperator &op) {
	CheckFiles(context, op);
	if (op.type == LogicalOperatorType::LOGICAL_GET) {
		auto &name = FunctionName(op.Cast<LogicalGet>().function);
		auto traits = TraitsOf(FunctionKind::TABLE, name);
		if (traits.reason != SessionReason::UNKNOWN && (traits.powers & FunctionPower::SETTINGS) != 0) {
			throw PermissionException("The function %s, which changes settings of the driver, is not for clients",
			                          name);
		}
	} else if (op.type == LogicalOperatorType::LOGICAL_ALTER) {
		auto info = AlterOf(op);
		if (info && info->type == AlterType::ALTER_DATABASE) {
			throw PermissionException("The names of the driver's databases are not for clients to change");
		}
	}
}

//! As clients' plans have them
bool IsTableScan(const std::string &name) {
	return name == REMOTE_SCAN_NAME || name == VIEW_SCAN_NAME || name == "seq_scan" || name == "ducklake_scan";
}

void CheckScan(LogicalGet &get, uint16_t granted, Role role) {
	auto table = get.GetTable();
	if (table) {
		CheckServed(table->ParentCatalog(), role);
	}
	auto name = StringUtil::Lower(FunctionName(get.function));
	auto shows_workers = name == "duckherder_workers" && get.named_parameters.empty();
	// the scan of a table is whatever its catalog scans with
	if (!table && name != VIEW_SCAN_NAME && !shows_workers) {
		CheckPowers(FunctionName(get.function), TraitsOf(FunctionKind::TABLE, name).powers, granted, role);
	}
}

class PlanCheck {
public:
	PlanCheck(ClientContext &context_p, Role role_p, uint16_t granted_p, bool sent_p)
	    : context(context_p), role(role_p), granted(granted_p), sent(sent_p) {
	}

	void Check(LogicalOperator &plan) {
		WalkPlan(
		    plan, [&](LogicalOperator &op) { Operator(op); },
		    [&](duckdb::Expression &expression) { Function(expression); });
	}

private:
	bool Allowed(LogicalOperator &op) const {
		auto effect = TraitsOf(op.type).effect;
		if (effect == OperatorEffect::QUERIES) {
			return true;
		}
		if (effect == OperatorEffect::CHANGES_ROWS) {
			return role >= Role::WRITE;
		}
		if (sent) {
			return dynamic_cast<LogicalExchangeScan *>(&op) != nullptr;
		}
		// CheckStatement has refused clients' texts of what concerns the session, but for USE.
		return effect == OperatorEffect::OF_SESSION || (effect == OperatorEffect::DEFINES && role >= Role::WRITE);
	}

	void Operator(LogicalOperator &op) {
		if (!Allowed(op)) {
			auto changes_rows = TraitsOf(op.type).effect == OperatorEffect::CHANGES_ROWS;
			throw PermissionException("%s needs the role '%s', this token has the role '%s'",
			                          LogicalOperatorToString(op.type), changes_rows ? "write" : "admin",
			                          RoleName(role));
		}
		auto target = TargetOf(op);
		if (target) {
			CheckServed(*target, role);
		}
		if (op.type == LogicalOperatorType::LOGICAL_GET) {
			CheckScan(op.Cast<LogicalGet>(), granted, role);
		} else if (sent && op.type == LogicalOperatorType::LOGICAL_CREATE_TABLE) {
			CreateStatement statement;
			statement.info = op.Cast<LogicalCreateTable>().info->base->Copy();
			CheckStatement(context, statement, role);
		}
		CheckFiles(context, op);
	}

	void Function(duckdb::Expression &expression) {
		switch (expression.GetExpressionClass()) {
		case ExpressionClass::BOUND_FUNCTION:
			Powers(FunctionKind::SCALAR, FunctionName(expression.Cast<BoundFunctionExpression>().Function()));
			break;
		case ExpressionClass::BOUND_AGGREGATE:
			Powers(FunctionKind::AGGREGATE, FunctionName(expression.Cast<BoundAggregateExpression>().Function()));
			break;
		case ExpressionClass::BOUND_WINDOW: {
			auto &aggregate = AggregateOf(expression.Cast<BoundWindowExpression>());
			if (aggregate) {
				Powers(FunctionKind::AGGREGATE, FunctionName(*aggregate));
			}
			break;
		}
		default:
			break;
		}
	}

	void Powers(FunctionKind kind, const std::string &name) {
		CheckPowers(name, TraitsOf(kind, name).powers, granted, role);
	}

	ClientContext &context;
	const Role role;
	const uint16_t granted;
	const bool sent;
};

void CheckWhatWasBound(PlannerExtensionInput &input, BoundStatement &statement) {
	auto role = SessionRole::Of(input.context);
	if (role < Role::NODE && statement.plan) {
		CheckBoundPlan(input.context, *statement.plan, role);
	}
}

} // namespace

void CheckBoundPlan(ClientContext &context, LogicalOperator &plan, Role role) {
	if (role < Role::ADMIN) {
		PlanCheck(context, role, static_cast<uint16_t>(GrantedPowers(role) | VIEW_POWERS), false).Check(plan);
	} else if (role < Role::NODE) {
		WalkPlan(plan, [&](LogicalOperator &op) { CheckOfAdministrator(context, op); }, [](duckdb::Expression &) {});
	}
}

void CheckSentPlan(ClientContext &context, LogicalOperator &plan, Role role) {
	WalkPlan(plan, [&](LogicalOperator &op) { CheckNoTriggers(context, op); }, [](duckdb::Expression &) {});
	if (role < Role::NODE) {
		auto granted = GrantedPowers(std::min(role, Role::WRITE));
		PlanCheck(context, role, static_cast<uint16_t>(granted & ~VIEW_POWERS), true).Check(plan);
	}
}

void CheckSentFunction(const std::string &name, bool bound, Role role) {
	auto lower_name = StringUtil::Lower(name);
	if (role >= Role::NODE || IsTableScan(lower_name)) {
		return;
	}
	// the bytes do not say here whether the function is a table's: it needs what any function of this name needs
	auto known = false;
	uint16_t powers = FunctionPower::NONE;
	for (auto kind : {FunctionKind::SCALAR, FunctionKind::AGGREGATE, FunctionKind::TABLE}) {
		auto traits = TraitsOf(kind, lower_name);
		if (traits.reason != SessionReason::UNKNOWN) {
			known = true;
			powers = static_cast<uint16_t>(powers | traits.powers);
		}
	}
	if (!known && !bound) {
		return;
	}
	auto granted = static_cast<uint16_t>(GrantedPowers(std::min(role, Role::WRITE)) & ~VIEW_POWERS);
	CheckPowers(name, known ? powers : static_cast<uint16_t>(FunctionPower::ALL), granted, role);
}

std::set<std::string> DatabasesWrittenBy(ClientContext &context, LogicalOperator &plan) {
	StatementProperties properties;
	std::set<std::string> databases;
	WalkPlan(
	    plan,
	    [&](LogicalOperator &op) {
		    auto target = TargetOf(op);
		    if (target) {
			    databases.insert(NameText(target->GetName()));
		    }
	    },
	    [&](duckdb::Expression &expression) {
		    if (expression.GetExpressionClass() != ExpressionClass::BOUND_FUNCTION) {
			    return;
		    }
		    auto &bound = expression.Cast<BoundFunctionExpression>();
		    if (bound.Function().HasModifiedDatabasesCallback() && bound.BindInfo()) {
			    FunctionModifiedDatabasesInput input(bound.BindInfo(), properties);
			    bound.Function().GetModifiedDatabasesCallback()(context, input);
		    }
	    });
	for (auto &database : properties.modified_databases) {
		databases.insert(NameText(database.first));
	}
	return databases;
}

void RegisterPlanCheck(DatabaseInstance &instance) {
	PlannerExtension extension;
	extension.post_bind_function = CheckWhatWasBound;
	PlannerExtension::Register(instance.config, std::move(extension));
}

} // namespace duckherder
