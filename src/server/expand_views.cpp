#include "server/expand_views.hpp"

#include "compat/statements.hpp"
#include "engine/fragment.hpp"
#include "engine/view_scan.hpp"
#include "server/check_parsed.hpp"
#include "server/granted.hpp"
#include "protocol/session_role.hpp"

#include "duckdb/catalog/catalog_entry/view_catalog_entry.hpp"
#include "duckdb/parser/expression/star_expression.hpp"
#include "duckdb/planner/binder.hpp"
#include "duckdb/planner/expression/bound_columnref_expression.hpp"
#include "duckdb/planner/expression/bound_constant_expression.hpp"
#include "duckdb/planner/operator/logical_get.hpp"
#include "duckdb/planner/operator/logical_projection.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

bool IsViewScan(const LogicalOperator &op) {
	return op.type == LogicalOperatorType::LOGICAL_GET &&
	       FunctionName(op.Cast<LogicalGet>().function) == VIEW_SCAN_NAME;
}

bool HasViewScan(const LogicalOperator &op) {
	if (IsViewScan(op)) {
		return true;
	}
	for (auto &child : op.children) {
		if (HasViewScan(*child)) {
			return true;
		}
	}
	return false;
}

class ViewExpansion {
public:
	ViewExpansion(ClientContext &context_p, LogicalOperator &root) : context(context_p) {
		// new operators get numbers that none of the plan has
		numbers = Binder::CreateBinder(context);
		auto highest = LargestTableIndex(root);
		while (IndexOf(numbers->GenerateTableIndex()) < highest) {
		}
	}

	void Expand(unique_ptr<LogicalOperator> &op) {
		if (!IsViewScan(*op)) {
			for (auto &child : op->children) {
				Expand(child);
			}
			return;
		}
		auto &get = op->Cast<LogicalGet>();
		auto &data = get.bind_data->Cast<ViewScanData>();
		CheckView(data);
		auto bound = BindView(data);
		if (bound.types != data.types) {
			throw TransactionException("The view \"%s\" was altered while the statement was planned", data.view);
		}
		auto bindings = bound.plan->GetColumnBindings();
		vector<unique_ptr<Expression>> columns;
		for (auto &column : get.GetColumnIds()) {
			if (column.IsVirtualColumn()) {
				// counting rows needs no column: any will do
				columns.push_back(make_uniq<BoundConstantExpression>(Value::BIGINT(0)));
				continue;
			}
			auto index = column.GetPrimaryIndex();
			columns.push_back(make_uniq<BoundColumnRefExpression>(bound.types.at(index), bindings.at(index)));
		}
		if (!get.projection_ids.empty()) {
			vector<unique_ptr<Expression>> kept;
			for (auto id : get.projection_ids) {
				kept.push_back(columns.at(id)->Copy());
			}
			columns = std::move(kept);
		}
		auto projection = make_uniq<LogicalProjection>(get.table_index, std::move(columns));
		projection->children.push_back(std::move(bound.plan));
		op = std::move(projection);
	}

private:
	//! The client may name what it likes: a view of its session that came in place of another one, for example
	void CheckView(const ViewScanData &data) {
		auto &catalog = CatalogNamed(context, data.database);
		auto role = SessionRole::Of(context);
		if (catalog.IsTemporaryCatalog() || !IsServed(catalog.GetAttached(), role)) {
			throw PermissionException("\"%s\" is no database whose views clients of a driver can read", data.database);
		}
		auto &view = EntryOf<ViewCatalogEntry>(context, catalog, {"", data.schema, data.view});
		if (role < Role::ADMIN) {
			ParsedCheck(context, role).View(view);
		}
	}

	BoundStatement BindView(const ViewScanData &data) {
		auto ref = make_uniq<BaseTableRef>();
		SetName(*ref, {data.database, data.schema, data.view});
		auto node = make_uniq<SelectNode>();
		node->select_list.push_back(make_uniq<StarExpression>());
		node->from_table = std::move(ref);
		SelectStatement statement;
		statement.node = std::move(node);
		auto binder = Binder::CreateBinder(context, numbers);
		return binder->Bind(static_cast<SQLStatement &>(statement));
	}

	ClientContext &context;
	shared_ptr<Binder> numbers;
};

} // namespace

void ExpandViews(ClientContext &context, unique_ptr<LogicalOperator> &plan) {
	if (HasViewScan(*plan)) {
		ViewExpansion(context, *plan).Expand(plan);
	}
}

} // namespace duckherder
