#include "client/push_down.hpp"

#include "client/remote_place.hpp"
#include "client/remote_plan.hpp"
#include "client/remote_transaction.hpp"
#include "client/ship_rows.hpp"
#include "compat/catalog.hpp"
#include "compat/definitions.hpp"
#include "compat/explain.hpp"
#include "wire/catalog_items.hpp"
#include "engine/exchange_scan.hpp"
#include "engine/fragment.hpp"
#include "engine/written_table.hpp"

#include "duckdb/function/scalar/sequence_utils.hpp"
#include "duckdb/main/database_manager.hpp"
#include "duckdb/optimizer/column_binding_replacer.hpp"
#include "duckdb/parser/parsed_data/create_table_info.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"
#include "duckdb/planner/logical_operator_visitor.hpp"
#include "duckdb/planner/operator/logical_copy_database.hpp"
#include "duckdb/planner/operator/logical_create_table.hpp"
#include "duckdb/planner/operator/logical_explain.hpp"
#include "duckdb/planner/parsed_data/bound_create_table_info.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! New tables are to be in the driver's database under its own name
bool RenameNewTables(LogicalOperator &op, RemoteCatalog &catalog) {
	auto found = false;
	if (op.type == LogicalOperatorType::LOGICAL_CREATE_TABLE) {
		catalog.NameForDriver(*op.Cast<LogicalCreateTable>().info->base);
		found = true;
	}
	for (auto &child : op.children) {
		found = RenameNewTables(*child, catalog) || found;
	}
	return found;
}

//! The plan is for the driver from now on, whose name for the sequences is in what nextval was bound with
class SequenceRename : public LogicalOperatorVisitor {
public:
	explicit SequenceRename(RemoteCatalog &catalog_p) : catalog(catalog_p) {
	}

	void VisitOperator(LogicalOperator &op) override {
		VisitDefaults(op, [&](unique_ptr<Expression> &fallback) { VisitExpression(&fallback); });
		LogicalOperatorVisitor::VisitOperator(op);
	}

protected:
	unique_ptr<Expression> VisitReplace(BoundFunctionExpression &bound, unique_ptr<Expression> *) override {
		if (UsesSequence(FunctionName(bound.Function())) && bound.BindInfo()) {
			SetCatalog(*bound.BindInfoMutable()->Cast<NextvalBindData>().create_info, catalog.RemoteName());
		}
		return nullptr;
	}

private:
	RemoteCatalog &catalog;
};

unique_ptr<LogicalRemotePlan> SendThere(ClientContext &context, unique_ptr<LogicalOperator> plan,
                                        RemoteCatalog &catalog, vector<ColumnBinding> bindings) {
	auto makes_table = RenameNewTables(*plan, catalog);
	SequenceRename(catalog).VisitOperator(*plan);
	plan->ResolveOperatorTypes();
	auto result = make_uniq<LogicalRemotePlan>(catalog, std::move(plan), std::move(bindings));
	result->snapshot = RemoteTransaction::Get(context, catalog).Snapshot();
	result->changes_catalog = makes_table;
	return result;
}

//! Operators whose work stays here, whatever is below
bool IsWrapper(const LogicalOperator &op) {
	switch (op.type) {
	case LogicalOperatorType::LOGICAL_EXPLAIN:
	case LogicalOperatorType::LOGICAL_COPY_TO_FILE:
	case LogicalOperatorType::LOGICAL_INSERT:
	case LogicalOperatorType::LOGICAL_CREATE_TABLE:
		return true;
	default:
		return false;
	}
}

class Cutter {
public:
	Cutter(ClientContext &context_p, LogicalOperator &root)
	    : context(context_p), costs(context_p), next_table_index(LargestTableIndex(root) + 1) {
	}

	void Cut(unique_ptr<LogicalOperator> &op) {
		auto place = SiteOfPlan(context, *op);
		if (place.AtDriver()) {
			Replace(op, *place.catalog, {}, op->GetColumnBindings());
			return;
		}
		if (auto target = WriteBelow(*op)) {
			if (TargetOf(*op) || SiteOfOperator(context, *op).local == false) {
				SendWithRows(op, *target);
				return;
			}
		}
		if (auto driver = costs.WhereToShip(*op)) {
			SendWithRows(op, *driver);
			return;
		}
		for (auto &child : op->children) {
			Cut(child);
		}
	}

	//! Statements of one session come one after another
	void MarkBuffered() {
		for (auto *plan : sent) {
			idx_t of_driver = 0;
			for (auto *other : sent) {
				of_driver += &other->catalog == &plan->catalog ? 1 : 0;
			}
			plan->run.buffered = of_driver > 1;
		}
	}

private:
	void Replace(unique_ptr<LogicalOperator> &op, RemoteCatalog &catalog, vector<unique_ptr<LogicalOperator>> uploads,
	             vector<ColumnBinding> bindings) {
		auto plan = SendThere(context, std::move(op), catalog, std::move(bindings));
		plan->first_upload = NumericCast<uint32_t>(upload_count - uploads.size());
		plan->children = std::move(uploads);
		plan->ResolveOperatorTypes();
		sent.push_back(plan.get());
		op = std::move(plan);
	}

	//! A write may be below what makes its RETURNING
	static optional_ptr<RemoteCatalog> WriteBelow(LogicalOperator &op) {
		if (auto target = TargetOf(op)) {
			return op.children.empty() && op.type == LogicalOperatorType::LOGICAL_CREATE_TABLE ? nullptr : target;
		}
		if (op.type == LogicalOperatorType::LOGICAL_PROJECTION && op.children.size() == 1) {
			return WriteBelow(*op.children[0]);
		}
		return nullptr;
	}

	//! What of it the driver cannot have is sent there first
	void SendWithRows(unique_ptr<LogicalOperator> &op, RemoteCatalog &catalog) {
		vector<unique_ptr<LogicalOperator>> uploads;
		ColumnBindingReplacer replacer;
		// columns that are sent get other ones, which nobody above knows
		auto bindings = op->GetColumnBindings();
		TakeUploads(*op, catalog, uploads, replacer);
		replacer.VisitOperator(*op);
		auto place = SiteOfPlan(context, *op);
		if (!place.AtDriver()) {
			throw NotImplementedException(
			    "This statement on the database \"%s\" of a Duckherder driver uses what exists in this session only (a "
			    "function, a sequence, a table), in a way that cannot be separated from the rest. Make the rows first, "
			    "as a temporary table",
			    NameText(catalog.GetName()));
		}
		Replace(op, catalog, std::move(uploads), std::move(bindings));
	}

	bool CanTake(LogicalOperator &op, RemoteCatalog &catalog) {
		auto place = SiteOfPlan(context, op);
		return !place.local && (!place.catalog || place.catalog.get() == &catalog);
	}

	void TakeUploads(LogicalOperator &op, RemoteCatalog &catalog, vector<unique_ptr<LogicalOperator>> &uploads,
	                 ColumnBindingReplacer &replacer) {
		for (auto &child : op.children) {
			if (CanTake(*child, catalog)) {
				continue;
			}
			auto place = SiteOfOperator(context, *child);
			if (!place.local && Touches(context, *child, catalog)) {
				// its other part goes on from there
				TakeUploads(*child, catalog, uploads, replacer);
				if (CanTake(*child, catalog)) {
					continue;
				}
			}
			child = Upload(std::move(child), uploads, replacer);
		}
	}

	unique_ptr<LogicalOperator> Upload(unique_ptr<LogicalOperator> op, vector<unique_ptr<LogicalOperator>> &uploads,
	                                   ColumnBindingReplacer &replacer) {
		op->ResolveOperatorTypes();
		auto scan = make_uniq<LogicalExchangeScan>();
		scan->source.is_feed = true;
		scan->source.stage = NumericCast<StageId>(upload_count++);
		scan->return_types = op->types;
		scan->SetEstimatedCardinality(op->EstimateCardinality(context));
		TableIndex table_index(next_table_index++);
		auto old_bindings = op->GetColumnBindings();
		for (idx_t i = 0; i < old_bindings.size(); i++) {
			ColumnBinding binding(table_index, ProjectionIndex(i));
			scan->bindings.push_back(binding);
			replacer.replacement_bindings.emplace_back(old_bindings[i], binding);
		}
		// what of it is at a driver is fetched from there first
		Cut(op);
		uploads.push_back(std::move(op));
		return scan;
	}

	ClientContext &context;
	ShippingCosts costs;
	idx_t upload_count = 0;
	idx_t next_table_index;
	vector<LogicalRemotePlan *> sent;
};

} // namespace

namespace {

//! Their numbers are given out at the driver only
void CheckSequences(LogicalOperator &op) {
	if (UsesDriversSequence(op)) {
		throw NotImplementedException(
		    "nextval of a Duckherder driver's sequence can only be used where all of the query "
		    "runs at that driver");
	}
	for (auto &child : op.children) {
		CheckSequences(*child);
	}
}

//! DuckDB asks the transaction of the default database, and throws an internal error if that is not its own
void CheckTransactionIds(ClientContext &context, LogicalOperator &plan) {
	auto database = DefaultDatabaseOf(context);
	auto catalog = database.empty() ? nullptr : Catalog::GetCatalogEntry(context, Identifier(database));
	if (catalog && RemoteCatalog::From(*catalog) && CallsFunction(plan, "txid_current")) {
		throw NotImplementedException(
		    "txid_current() while \"%s\", the database of a Duckherder driver, is the default "
		    "one. The driver can be asked: FROM duckherder_query('%s', 'SELECT txid_current()')",
		    database, database);
	}
}

//! DuckDB's own COPY FROM DATABASE puts indexes into the storage of tables
void SendCopiedDefinitions(ClientContext &context, unique_ptr<LogicalOperator> &plan) {
	if (plan->type != LogicalOperatorType::LOGICAL_COPY_DATABASE) {
		return;
	}
	auto &info = *plan->Cast<LogicalCopyDatabase>().info;
	auto catalog = RemoteCatalog::From(Catalog::GetCatalog(context, info.target_database));
	if (!catalog) {
		return;
	}
	auto snapshot = RemoteTransaction::Get(context, *catalog).Snapshot();
	std::vector<std::string> definitions;
	for (auto indexes : {false, true}) {
		for (auto &entry : info.entries) {
			if ((entry->type == CatalogType::INDEX_ENTRY) == indexes) {
				catalog->NameForDriver(*entry);
				catalog->RenameWithin(*entry, *snapshot, true);
				definitions.push_back(EncodeDefinition(*entry));
			}
		}
	}
	plan->ResolveOperatorTypes();
	plan = make_uniq<LogicalRemoteDefinition>(*catalog, std::move(definitions), plan->types);
	plan->ResolveOperatorTypes();
}

//! The driver of what is explained if all of that runs there and the user wants the usual output, null otherwise: the
//! driver does not know what else the client's settings ask for.
optional_ptr<RemoteCatalog> DriverOfExplained(ClientContext &context, LogicalOperator &plan) {
	if (plan.type != LogicalOperatorType::LOGICAL_EXPLAIN || ShowsSql(plan)) {
		return nullptr;
	}
	Value output;
	context.TryGetCurrentSetting("explain_output", output);
	if (!StringUtil::CIEquals(output.ToString(), "physical_only")) {
		return nullptr;
	}
	auto place = SiteOfPlan(context, *plan.children[0]);
	return place.AtDriver() ? place.catalog : nullptr;
}

//! The driver explains, since it knows how it distributes the query, and has run it
unique_ptr<LogicalRemotePlan> ExplainThere(ClientContext &context, LogicalOperator &plan, RemoteCatalog &catalog) {
	auto &explain = plan.Cast<LogicalExplain>();
	auto bindings = plan.GetColumnBindings();
	auto result = SendThere(context, std::move(explain.children[0]), catalog, std::move(bindings));
	result->Explain({explain.explain_type, FormatOf(explain)});
	return result;
}

} // namespace

void PushDownWhole(ClientContext &context, unique_ptr<LogicalOperator> &plan) {
	if (RemoteCatalog::AnyAttached()) {
		CheckTransactionIds(context, *plan);
		SendCopiedDefinitions(context, plan);
	}
	if (!TouchesDriver(*plan)) {
		return;
	}
	auto place = SiteOfPlan(context, *plan);
	if (place.AtDriver()) {
		auto bindings = plan->GetColumnBindings();
		plan = SendThere(context, std::move(plan), *place.catalog, std::move(bindings));
		plan->ResolveOperatorTypes();
		// nothing here depends on it, and the real number would be another call
		plan->SetEstimatedCardinality(1);
	} else if (auto driver = DriverOfExplained(context, *plan)) {
		plan = ExplainThere(context, *plan, *driver);
		plan->ResolveOperatorTypes();
	} else if (IsWrapper(*plan) && plan->children.size() == 1) {
		PushDownWhole(context, plan->children[0]);
	}
}

void PushDownOptimized(ClientContext &context, unique_ptr<LogicalOperator> &plan) {
	if (!TouchesDriver(*plan)) {
		return;
	}
	Cutter cutter(context, *plan);
	cutter.Cut(plan);
	cutter.MarkBuffered();
	CheckSequences(*plan);
}

} // namespace duckherder
