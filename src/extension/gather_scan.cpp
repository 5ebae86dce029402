#include "extension/gather_scan.hpp"

#include "compat/functions.hpp"
#include "engine/exchange_scan.hpp"
#include "coordinator/gather_source.hpp"
#include "coordinator/query_coordinator.hpp"
#include "extension/explain.hpp"

#include "duckdb/execution/column_binding_resolver.hpp"
#include "duckdb/execution/operator/scan/physical_table_scan.hpp"
#include "duckdb/execution/physical_plan_generator.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

struct GatherBindData : public TableFunctionData {
	std::shared_ptr<DatabaseState> database;
	std::shared_ptr<DistributedPlan> plan;
	StageId stage = 0;
	//! Whether what reads the scan can go on later
	bool may_block = true;
	idx_t estimated_rows = 0;
};

struct GatherGlobalState : public GlobalTableFunctionState {
	std::shared_ptr<QueryCoordinator> coordinator;
	std::shared_ptr<GatherSource> source;

	idx_t MaxThreads() const override {
		return source->MaxReaders();
	}
};

struct GatherLocalState : public LocalTableFunctionState {
	std::shared_ptr<GatherReader> reader;
};

//! Waits for an output between two rounds of DuckDB's executor, which in between looks for interrupts and moves the
//! progress bar.
class AwaitOutputTask : public AsyncTask {
public:
	explicit AwaitOutputTask(std::shared_ptr<GatherReader> reader_p) : reader(std::move(reader_p)) {
	}
	void Execute() override {
		reader->Await();
	}

private:
	std::shared_ptr<GatherReader> reader;
};

unique_ptr<GlobalTableFunctionState> GatherInitGlobal(ClientContext &context, TableFunctionInitInput &input) {
	auto &bind_data = input.bind_data->Cast<GatherBindData>();
	auto result = make_uniq<GatherGlobalState>();
	result->coordinator = SessionState::Get(context, bind_data.database)->Coordinator(context, bind_data.plan);
	result->source = result->coordinator->Gather(bind_data.stage);
	return result;
}

unique_ptr<LocalTableFunctionState> GatherInitLocal(ExecutionContext &, TableFunctionInitInput &,
                                                    GlobalTableFunctionState *global) {
	auto result = make_uniq<GatherLocalState>();
	result->reader = global->Cast<GatherGlobalState>().source->OpenGatherReader();
	return result;
}

void GatherNext(ClientContext &, TableFunctionInput &input, DataChunk &output) {
	auto &reader = input.local_state->Cast<GatherLocalState>().reader;
	auto may_block = input.bind_data->Cast<GatherBindData>().may_block &&
	                 input.results_execution_mode == AsyncResultsExecutionMode::TASK_EXECUTOR;
	if (!may_block) {
		reader->Next(output);
	} else if (!reader->NextIfThere(output)) {
		vector<unique_ptr<AsyncTask>> tasks;
		tasks.push_back(make_uniq<AwaitOutputTask>(reader));
		input.async_result = AsyncResult(std::move(tasks));
	}
}

OperatorPartitionData GatherPartition(ClientContext &, TableFunctionGetPartitionInput &input) {
	return OperatorPartitionData(input.local_state->Cast<GatherLocalState>().reader->BatchIndex());
}

double GatherProgress(ClientContext &, const FunctionData *, const GlobalTableFunctionState *global) {
	return global->Cast<GatherGlobalState>().coordinator->Progress() * 100;
}

unique_ptr<NodeStatistics> GatherCardinality(ClientContext &, const FunctionData *bind_data) {
	return make_uniq<NodeStatistics>(bind_data->Cast<GatherBindData>().estimated_rows);
}

InsertionOrderPreservingMap<string> GatherToString(TableFunctionToStringInput &input) {
	auto &bind_data = input.bind_data->Cast<GatherBindData>();
	return SummarizeStages(*bind_data.plan, bind_data.stage);
}

InsertionOrderPreservingMap<string> GatherTasksToString(const GlobalTableFunctionState &state) {
	return SummarizeTasks(state.Cast<GatherGlobalState>().coordinator->TaskHistories());
}

TableFunction GatherFunction(bool ordered) {
	TableFunction function("duckherder_gather", {}, GatherNext, nullptr, GatherInitGlobal, GatherInitLocal);
	function.get_partition_data = GatherPartition;
	function.table_scan_progress = GatherProgress;
	function.cardinality = GatherCardinality;
	function.to_string = GatherToString;
	SetShownAtEnd<GatherTasksToString>(function);
	function.order_preservation_type =
	    ordered ? OrderPreservationType::INSERTION_ORDER : OrderPreservationType::NO_ORDER;
	return function;
}

class LogicalGather : public LogicalExtensionOperator {
public:
	std::shared_ptr<DatabaseState> database;
	std::shared_ptr<DistributedPlan> plan;
	StageId stage = 0;
	bool may_block = true;
	vector<ColumnBinding> bindings;
	vector<LogicalType> return_types;

	vector<ColumnBinding> GetColumnBindings() override {
		return bindings;
	}
	void ResolveColumnBindings(ColumnBindingResolver &, vector<ColumnBinding> &result) override {
		result = bindings;
	}
	string GetName() const override {
		return "DUCKHERDER_GATHER";
	}
	bool SupportSerialization() const override {
		return false;
	}
	idx_t EstimateCardinality(ClientContext &) override {
		return estimated_cardinality;
	}

	PhysicalOperator &CreatePlan(ClientContext &, PhysicalPlanGenerator &planner) override {
		auto bind_data = make_uniq<GatherBindData>();
		bind_data->database = database;
		bind_data->plan = plan;
		bind_data->stage = stage;
		bind_data->may_block = may_block;
		bind_data->estimated_rows = estimated_cardinality;
		vector<ColumnIndex> column_ids;
		vector<string> names;
		for (idx_t i = 0; i < return_types.size(); i++) {
			column_ids.emplace_back(i);
			names.push_back("c" + to_string(i));
		}
		BoundTableFunction function(GatherFunction(plan->stages[stage].output.ordered));
		return planner.Make<PhysicalTableScan>(return_types, std::move(function), std::move(bind_data), return_types,
		                                       std::move(column_ids), vector<idx_t>(), std::move(names), nullptr,
		                                       estimated_cardinality, ExtraOperatorInfo(), vector<Value>(),
		                                       virtual_column_map_t());
	}

protected:
	void ResolveTypes() override {
		types = return_types;
	}
};

void Attach(unique_ptr<LogicalOperator> &plan, const std::shared_ptr<DistributedPlan> &distributed,
            const std::shared_ptr<DatabaseState> &database, bool may_block) {
	auto scan = dynamic_cast<LogicalExchangeScan *>(plan.get());
	if (!scan) {
		// reads its right side by itself, not through the executor
		may_block = may_block && plan->type != LogicalOperatorType::LOGICAL_POSITIONAL_JOIN;
		for (auto &child : plan->children) {
			Attach(child, distributed, database, may_block);
		}
		return;
	}
	auto gather = make_uniq<LogicalGather>();
	gather->database = database;
	gather->plan = distributed;
	gather->stage = scan->source.stage;
	gather->may_block = may_block;
	gather->bindings = scan->bindings;
	gather->return_types = scan->return_types;
	gather->SetEstimatedCardinality(scan->estimated_cardinality);
	plan = std::move(gather);
}

} // namespace

std::optional<StageId> GatheredStage(const LogicalOperator &op) {
	auto gather = dynamic_cast<const LogicalGather *>(&op);
	return gather ? std::make_optional(gather->stage) : std::nullopt;
}

void AttachGathers(unique_ptr<LogicalOperator> &plan, const std::shared_ptr<DistributedPlan> &distributed,
                   const std::shared_ptr<DatabaseState> &database) {
	Attach(plan, distributed, database, true);
}

} // namespace duckherder
