#include "planner/rewrite/lake_write.hpp"

#include "compat/copy.hpp"
#include "compat/statements.hpp"
#include "planner/rewrite/lake_scans.hpp"
#include "planner/rewrite/written_files.hpp"

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/catalog/catalog_entry/schema_catalog_entry.hpp"
#include "duckdb/catalog/catalog_entry/table_catalog_entry.hpp"
#include "duckdb/common/file_system.hpp"
#include "duckdb/execution/operator/order/physical_order.hpp"
#include "duckdb/execution/operator/projection/physical_projection.hpp"
#include "duckdb/execution/operator/scan/physical_dummy_scan.hpp"
#include "duckdb/execution/physical_plan_generator.hpp"
#include "duckdb/parser/parsed_data/copy_info.hpp"
#include "duckdb/planner/binder.hpp"
#include "duckdb/planner/expression/bound_columnref_expression.hpp"
#include "duckdb/planner/expression/bound_reference_expression.hpp"
#include "duckdb/planner/expression_iterator.hpp"
#include "duckdb/planner/operator/logical_create_table.hpp"
#include "duckdb/planner/operator/logical_insert.hpp"
#include "duckdb/planner/operator/logical_order.hpp"
#include "duckdb/planner/operator/logical_projection.hpp"
#include "duckdb/planner/parsed_data/bound_create_table_info.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! What COPY says of a file that it wrote, by column
constexpr idx_t FILE_NAME_COLUMN = 0;
constexpr idx_t FILE_SIZE_COLUMN = 2;

//! Keeps the plan that DuckLake made alive as long as the plan that contains parts of it.
class PlanOwner : public PhysicalOperator {
public:
	PlanOwner(PhysicalPlan &plan, std::shared_ptr<PhysicalPlanGenerator> owned_p)
	    : PhysicalOperator(plan, PhysicalOperatorType::EXTENSION, {}, 0), owned(std::move(owned_p)) {
	}

private:
	std::shared_ptr<PhysicalPlanGenerator> owned;
};

//! Passes the list of written files on, once each of them is seen from here.
class PhysicalCheckFiles : public PhysicalOperator {
public:
	PhysicalCheckFiles(PhysicalPlan &plan, vector<LogicalType> types_p, idx_t cardinality)
	    : PhysicalOperator(plan, PhysicalOperatorType::EXTENSION, std::move(types_p), cardinality) {
	}

	string GetName() const override {
		return "DUCKHERDER_CHECK_FILES";
	}
	bool ParallelOperator() const override {
		return true;
	}

	OperatorResultType Execute(ExecutionContext &context, DataChunk &input, DataChunk &chunk, GlobalOperatorState &,
	                           OperatorState &) const override {
		auto &files = FileSystem::GetFileSystem(context.client);
		for (idx_t row = 0; row < input.size(); row++) {
			CheckWrittenFile(files, input.GetValue(FILE_NAME_COLUMN, row).GetValue<string>(),
			                 input.GetValue(FILE_SIZE_COLUMN, row).GetValue<idx_t>(), "The lake's data path");
		}
		chunk.Reference(input);
		return OperatorResultType::NEED_MORE_INPUT;
	}
};

//! An INSERT or CREATE TABLE AS that DuckLake has planned; its child gives rows, or lists the files that were written.
class LogicalLakeWrite : public LogicalAfterWrite {
public:
	//! `reader`: of the operators that DuckLake planned below `root`, the one that takes what the child gives
	LogicalLakeWrite(LogicalOperator &statement, std::shared_ptr<PhysicalPlanGenerator> planned_p,
	                 PhysicalOperator &root_p, PhysicalOperator &reader_p, bool lists_files_p)
	    : LogicalAfterWrite(statement), planned(std::move(planned_p)), root(root_p), reader(reader_p),
	      lists_files(lists_files_p) {
		if (statement.type == LogicalOperatorType::LOGICAL_INSERT) {
			table = statement.Cast<LogicalInsert>().table;
		}
	}

	string GetName() const override {
		return "LAKE_WRITE";
	}

	PhysicalOperator &CreatePlan(ClientContext &, PhysicalPlanGenerator &planner) override {
		reference<PhysicalOperator> input = planner.CreatePlan(*children[0]);
		planner.Make<PlanOwner>(planned);
		if (table) {
			planner.dependencies.AddDependency(*table);
		}
		if (lists_files) {
			auto &check = planner.Make<PhysicalCheckFiles>(input.get().types, input.get().estimated_cardinality);
			check.children.push_back(input);
			input = check;
		}
		reader.children[0] = input;
		return root;
	}

private:
	std::shared_ptr<PhysicalPlanGenerator> planned;
	PhysicalOperator &root;
	PhysicalOperator &reader;
	const bool lists_files;
	optional_ptr<TableCatalogEntry> table;
};

optional_ptr<Catalog> CatalogOf(LogicalOperator &op) {
	switch (op.type) {
	case LogicalOperatorType::LOGICAL_INSERT: {
		auto &insert = op.Cast<LogicalInsert>();
		// DuckLake knows neither, and says so better
		auto plain = !insert.return_chunk && insert.on_conflict_info.action_type == OnConflictAction::THROW;
		return plain ? &insert.table.catalog : nullptr;
	}
	case LogicalOperatorType::LOGICAL_CREATE_TABLE:
		return op.Cast<LogicalCreateTable>().schema.catalog;
	default:
		return nullptr;
	}
}

//! CREATE TABLE IF NOT EXISTS of a table that exists makes no rows
bool MakesTable(ClientContext &context, LogicalCreateTable &create) {
	auto &info = create.info->Base();
	if (info.on_conflict == OnCreateConflict::REPLACE_ON_CONFLICT) {
		return true;
	}
	auto name = NameOf(info);
	return !create.schema.catalog.GetEntry(context, CatalogType::TABLE_ENTRY, Identifier(name.schema),
	                                       Identifier(name.name), OnEntryNotFound::RETURN_NULL);
}

PhysicalOperator &PlanStatement(ClientContext &context, PhysicalPlanGenerator &planner, LogicalOperator &op,
                                PhysicalOperator &rows) {
	if (op.type == LogicalOperatorType::LOGICAL_INSERT) {
		auto &insert = op.Cast<LogicalInsert>();
		return insert.table.catalog.PlanInsert(context, planner, insert, rows);
	}
	auto &create = op.Cast<LogicalCreateTable>();
	return create.schema.catalog.PlanCreateTableAs(context, planner, create, rows);
}

//! The operators between `root` and `leaf` if they are one below the other, root first
bool ListOperators(PhysicalOperator &root, const PhysicalOperator &leaf, vector<reference<PhysicalOperator>> &result) {
	reference<PhysicalOperator> op = root;
	while (&op.get() != &leaf) {
		result.push_back(op);
		if (op.get().children.size() != 1) {
			return false;
		}
		op = op.get().children[0];
	}
	return true;
}

//! The same over columns of a logical operator instead of positions in a chunk
void NameColumns(unique_ptr<Expression> &expression, LogicalOperator &child, const vector<ColumnBinding> &columns) {
	if (expression->GetExpressionClass() == ExpressionClass::BOUND_REF) {
		auto index = expression->Cast<BoundReferenceExpression>().Index();
		expression = make_uniq<BoundColumnRefExpression>(child.types.at(index), columns.at(index));
		return;
	}
	ExpressionIterator::EnumerateChildren(*expression,
	                                      [&](unique_ptr<Expression> &part) { NameColumns(part, child, columns); });
}

unique_ptr<Expression> Named(const Expression &expression, LogicalOperator &child) {
	auto result = expression.Copy();
	NameColumns(result, child, child.GetColumnBindings());
	return result;
}

bool IsInOrder(const vector<idx_t> &projections, idx_t columns) {
	for (idx_t i = 0; i < projections.size(); i++) {
		if (projections[i] != i) {
			return false;
		}
	}
	return projections.size() == columns;
}

//! Puts what a physical operator does onto `rows`; false if it is none that DuckLake puts below its COPY
bool Lift(Binder &binder, const PhysicalOperator &op, unique_ptr<LogicalOperator> &rows) {
	unique_ptr<LogicalOperator> result;
	if (op.type == PhysicalOperatorType::PROJECTION) {
		vector<unique_ptr<Expression>> columns;
		for (auto &column : op.Cast<PhysicalProjection>().select_list) {
			columns.push_back(Named(*column, *rows));
		}
		result = make_uniq<LogicalProjection>(binder.GenerateTableIndex(), std::move(columns));
	} else if (op.type == PhysicalOperatorType::ORDER_BY &&
	           IsInOrder(op.Cast<PhysicalOrder>().projections, rows->types.size())) {
		vector<BoundOrderByNode> orders;
		for (auto &order : op.Cast<PhysicalOrder>().orders) {
			orders.emplace_back(order.type, order.null_order, Named(*order.expression, *rows));
		}
		result = make_uniq<LogicalOrder>(std::move(orders));
	} else {
		return false;
	}
	if (rows->has_estimated_cardinality) {
		result->SetEstimatedCardinality(rows->estimated_cardinality);
	}
	result->children.push_back(std::move(rows));
	result->ResolveOperatorTypes();
	rows = std::move(result);
	return true;
}

unique_ptr<LogicalOperator> LiftCopy(PhysicalCopyToFile &copy, TableIndex table_index,
                                     unique_ptr<LogicalOperator> rows) {
	auto info = make_uniq<CopyInfo>();
	info->is_from = false;
	info->file_path = copy.file_path;
	info->format = FunctionName(copy.function);
	auto result = LogicalOf(copy, std::move(info), table_index);
	result->preserve_order = PreserveOrderType::DONT_PRESERVE_ORDER;
	result->SetEstimatedCardinality(1);
	result->children.push_back(std::move(rows));
	result->ResolveOperatorTypes();
	return result;
}

//! Somebody else's working directory is another one
bool IsSamePathEverywhere(ClientContext &context, const string &path) {
	return FileSystem::IsRemoteFile(path) || FileSystem::GetFileSystem(context).IsPathAbsolute(path);
}

//! The COPY below DuckLake's operator, if it and all that is below it can be moved; else null
optional_ptr<PhysicalCopyToFile> FindCopy(ClientContext &context, const vector<reference<PhysicalOperator>> &chain) {
	if (chain.size() < 2 || chain[1].get().type != PhysicalOperatorType::COPY_TO_FILE) {
		return nullptr;
	}
	for (idx_t i = 2; i < chain.size(); i++) {
		auto type = chain[i].get().type;
		if (type != PhysicalOperatorType::PROJECTION && type != PhysicalOperatorType::ORDER_BY) {
			return nullptr;
		}
	}
	auto &copy = chain[1].get().Cast<PhysicalCopyToFile>();
	auto lists_files = copy.return_type == CopyFunctionReturnType::WRITTEN_FILE_STATISTICS;
	return lists_files && copy.function.serialize && IsSamePathEverywhere(context, copy.file_path) ? &copy : nullptr;
}

} // namespace

bool FillsLakeTable(ClientContext &context, LogicalOperator &op) {
	auto catalog = CatalogOf(op);
	if (!catalog || catalog->GetCatalogType() != LAKE_CATALOG_TYPE || op.children.size() != 1) {
		return false;
	}
	if (op.type == LogicalOperatorType::LOGICAL_CREATE_TABLE && !MakesTable(context, op.Cast<LogicalCreateTable>())) {
		return false;
	}
	return !IsEncryptedLake(context, NameText(catalog->GetName()));
}

bool PlanLakeWrite(ClientContext &context, Binder &binder, unique_ptr<LogicalOperator> &op) {
	op->ResolveOperatorTypes();
	auto planner = std::make_shared<PhysicalPlanGenerator>(context);
	planner->ArenaRef();
	auto &rows = planner->Make<PhysicalDummyScan>(op->children[0]->types, op->children[0]->estimated_cardinality);
	auto &root = PlanStatement(context, *planner, *op, rows);

	vector<reference<PhysicalOperator>> chain;
	if (!ListOperators(root, rows, chain) || chain.empty()) {
		throw InternalException("DuckLake plans a statement that fills a table in a way that is not known");
	}
	auto copy = FindCopy(context, chain);
	auto &reader = copy ? root : chain.back().get();
	auto statement = make_uniq<LogicalLakeWrite>(*op, planner, root, reader, copy != nullptr);
	auto child = std::move(op->children[0]);
	if (copy) {
		for (idx_t i = chain.size() - 1; i >= 2; i--) {
			if (!Lift(binder, chain[i], child)) {
				throw InternalException("DuckLake sorts what it writes in a way that is not known");
			}
		}
		child = LiftCopy(*copy, binder.GenerateTableIndex(), std::move(child));
	}
	statement->children.push_back(std::move(child));
	statement->ResolveOperatorTypes();
	op = std::move(statement);
	return copy != nullptr;
}

} // namespace duckherder
