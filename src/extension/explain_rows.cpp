#include "extension/explain_rows.hpp"

#include "compat/explain.hpp"
#include "extension/explain.hpp"
#include "extension/explain_json.hpp"
#include "extension/explain_text.hpp"

#include "duckdb/execution/operator/helper/physical_explain_analyze.hpp"
#include "duckdb/execution/operator/scan/physical_column_data_scan.hpp"
#include "duckdb/execution/physical_plan_generator.hpp"
#include "duckdb/main/query_profiler.hpp"
#include "duckdb/planner/operator/logical_explain.hpp"
#include "duckdb/planner/operator/logical_extension_operator.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

constexpr const char *ROW_KEY = "distributed_plan";

bool IsShown(const PlanFormat &format) {
	return IsText(format) || IsJson(format);
}

string Rendered(const QueryFacts &facts, const PlanFormat &format) {
	return IsJson(format) ? JsonOf(facts) : TextOf(facts);
}

//! Moves the last row of `chunk` down and puts ours in its place.
void InsertRow(DataChunk &chunk, const string &text) {
	auto last = chunk.size() - 1;
	for (idx_t column = 0; column < 2; column++) {
		chunk.SetValue(column, last + 1, chunk.GetValue(column, last));
	}
	chunk.SetValue(0, last, Value(ROW_KEY));
	chunk.SetValue(1, last, Value(text));
	chunk.SetChildCardinality(last + 2);
}

//! What a statement has to know to add its execution to the facts
struct ExplainedRun {
	QueryFacts facts;
	//! Null if it stays in the session
	std::shared_ptr<DistributedPlan> plan;
	std::shared_ptr<DatabaseState> database;
};

QueryFacts WithRun(ClientContext &context, const ExplainedRun &explained, uint64_t wall_us) {
	auto facts = explained.facts;
	if (!explained.plan) {
		return facts;
	}
	// none if DuckDB has read none of its gathers
	auto coordinator = SessionState::Get(context, explained.database)->FindCoordinator(*explained.plan);
	if (coordinator) {
		AddRun(facts, coordinator->TaskHistories(), coordinator->Outcomes(), wall_us);
	}
	return facts;
}

struct AnalyzeState : public GlobalSinkState {
	explicit AnalyzeState(uint64_t start_us_p) : start_us(start_us_p) {
	}
	const uint64_t start_us;
	string analyzed_plan;
	string distributed_plan;
};

//! DuckDB's operator with our row. Its plan shows it as if it were DuckDB's.
class PhysicalExplainDistributed : public PhysicalExplainAnalyze {
public:
	PhysicalExplainDistributed(PhysicalPlan &physical_plan, vector<LogicalType> types, PlanFormat format,
	                           ExplainedRun explained_p)
	    : PhysicalExplainAnalyze(physical_plan, std::move(types), format), explained(std::move(explained_p)) {
	}

	unique_ptr<GlobalSinkState> GetGlobalSinkState(ClientContext &) const override {
		return make_uniq<AnalyzeState>(NowUs());
	}

	SinkFinalizeType Finalize(Pipeline &, Event &, ClientContext &context,
	                          OperatorSinkFinalizeInput &input) const override {
		auto &state = input.global_state.Cast<AnalyzeState>();
		auto wall_us = NowUs() - state.start_us;
		auto &profiler = QueryProfiler::Get(context);
		profiler.FinalizeMetrics();
		state.analyzed_plan = profiler.ToString(format);
		state.distributed_plan = Rendered(WithRun(context, explained, wall_us), format);
		return SinkFinalizeType::READY;
	}

	SourceResultType GetDataInternal(ExecutionContext &, DataChunk &chunk, OperatorSourceInput &) const override {
		auto &state = sink_state->Cast<AnalyzeState>();
		chunk.SetValue(0, 0, Value("analyzed_plan"));
		chunk.SetValue(1, 0, Value(state.analyzed_plan));
		chunk.SetChildCardinality(1);
		InsertRow(chunk, state.distributed_plan);
		return SourceResultType::FINISHED;
	}

private:
	uint64_t NowUs() const {
		return explained.database->services.clock->NowUs();
	}

	const ExplainedRun explained;
};

//! The rows of DuckDB's EXPLAIN are made when its plan is: ours is one more.
PhysicalOperator &WithRow(ClientContext &context, PhysicalPlanGenerator &planner, PhysicalOperator &rows,
                          const string &text) {
	auto &known = *rows.Cast<PhysicalColumnDataScan>().collection;
	DataChunk chunk;
	known.InitializeScanChunk(chunk);
	ColumnDataScanState state;
	known.InitializeScan(state);
	known.Scan(state, chunk);
	DataChunk more;
	more.Initialize(Allocator::Get(context), chunk.GetTypes());
	more.Append(chunk);
	InsertRow(more, text);
	auto all = make_uniq<ColumnDataCollection>(context, rows.types, ColumnDataAllocatorType::IN_MEMORY_ALLOCATOR);
	all->Append(more);
	return planner.Make<PhysicalColumnDataScan>(rows.types, PhysicalOperatorType::COLUMN_DATA_SCAN, more.size(),
	                                            std::move(all));
}

//! Stands above DuckDB's EXPLAIN until there is a physical plan.
class LogicalExplainDistributed : public LogicalExtensionOperator {
public:
	LogicalExplainDistributed(unique_ptr<LogicalOperator> explain, ExplainedRun explained_p)
	    : explained(std::move(explained_p)) {
		children.push_back(std::move(explain));
	}

	string GetName() const override {
		return "DUCKHERDER_EXPLAIN";
	}
	vector<ColumnBinding> GetColumnBindings() override {
		return children[0]->GetColumnBindings();
	}
	bool SupportSerialization() const override {
		return false;
	}

	PhysicalOperator &CreatePlan(ClientContext &context, PhysicalPlanGenerator &planner) override {
		auto &explain = children[0]->Cast<LogicalExplain>();
		auto format = FormatOf(explain);
		auto &duckdbs = planner.CreatePlan(*children[0]);
		if (explain.explain_type != ExplainType::EXPLAIN_ANALYZE) {
			return WithRow(context, planner, duckdbs, Rendered(explained.facts, format));
		}
		auto &result = planner.Make<PhysicalExplainDistributed>(duckdbs.types, format, explained);
		result.children.push_back(duckdbs.children[0]);
		return result;
	}

protected:
	void ResolveTypes() override {
		types = children[0]->types;
	}

private:
	const ExplainedRun explained;
};

} // namespace

void AddExplainRow(unique_ptr<LogicalOperator> &plan, QueryFacts facts,
                   const std::shared_ptr<DistributedPlan> &distributed,
                   const std::shared_ptr<DatabaseState> &database) {
	if (!IsShown(FormatOf(plan->Cast<LogicalExplain>()))) {
		return;
	}
	auto result =
	    make_uniq<LogicalExplainDistributed>(std::move(plan), ExplainedRun {std::move(facts), distributed, database});
	result->ResolveOperatorTypes();
	plan = std::move(result);
}

} // namespace duckherder
