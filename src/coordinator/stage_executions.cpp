#include "coordinator/stage_executions.hpp"

#include "engine/exchange_scan.hpp"
#include "engine/fragment.hpp"
#include "engine/scan_file.hpp"
#include "common/contains.hpp"
#include "planner/place/choose_joins.hpp"

#include "duckdb/parallel/task_scheduler.hpp"
#include "duckdb/planner/expression/bound_constant_expression.hpp"
#include "duckdb/planner/operator/logical_empty_result.hpp"

#include <algorithm>
#include <numeric>

namespace duckherder {

using duckdb::idx_t;
using duckdb::InternalException;
using duckdb::LogicalOperator;
using duckdb::unique_ptr;

namespace {

//! Each task of a stage builds a hash table of its own from a broadcast input. Where these, taken together, are more
//! than this part of what the tasks read, there are better few of them; else many, which share the work better.
constexpr uint64_t PROBE_BYTES_PER_BROADCAST_MIN = 16;

//! Where a fragment reads the output of a stage; null if nowhere
unique_ptr<LogicalOperator> *FindScan(unique_ptr<LogicalOperator> &op, StageId stage) {
	if (op->type == duckdb::LogicalOperatorType::LOGICAL_EXTENSION_OPERATOR &&
	    op->Cast<duckdb::LogicalExtensionOperator>().GetExtensionName() == EXCHANGE_SCAN_NAME) {
		auto &source = op->Cast<LogicalExchangeScan>().source;
		return !source.is_feed && source.stage == stage ? &op : nullptr;
	}
	for (auto &child : op->children) {
		if (auto found = FindScan(child, stage)) {
			return found;
		}
	}
	return nullptr;
}

//! While it lives, the fragments of stages stand where another fragment reads their outputs.
class Splice {
public:
	void Put(unique_ptr<LogicalOperator> &fragment, StageId stage, unique_ptr<LogicalOperator> &with) {
		auto scan = FindScan(fragment, stage);
		if (!scan) {
			throw InternalException("Nothing reads stage %llu, which was merged", idx_t(stage));
		}
		auto wanted = (*scan)->GetColumnBindings();
		// columns that were only computed to be hashed were put above
		auto &part = with->GetColumnBindings() == wanted ? with : with->children.at(0);
		if (part->GetColumnBindings() != wanted) {
			throw InternalException("Stage %llu has other columns than those that are read of it", idx_t(stage));
		}
		std::swap(*scan, part);
		swapped.emplace_back(scan, &part);
	}

	~Splice() {
		for (auto pair = swapped.rbegin(); pair != swapped.rend(); ++pair) {
			std::swap(*pair->first, *pair->second);
		}
	}

private:
	std::vector<std::pair<unique_ptr<LogicalOperator> *, unique_ptr<LogicalOperator> *>> swapped;
};

//! While it lives, the keys that a fragment computes at its top are NULL.
class NullKeys {
public:
	void Put(LogicalOperator &fragment, uint32_t column_count) {
		if (column_count == 0) {
			return;
		}
		if (fragment.type != duckdb::LogicalOperatorType::LOGICAL_PROJECTION) {
			throw InternalException("A stage that computes keys does not end in a projection");
		}
		for (auto i = idx_t(column_count); i < fragment.expressions.size(); i++) {
			auto &key = fragment.expressions[i];
			unique_ptr<duckdb::Expression> null =
			    duckdb::make_uniq<duckdb::BoundConstantExpression>(duckdb::Value(key->GetReturnType()));
			std::swap(key, null);
			replaced.emplace_back(&key, std::move(null));
		}
	}

	~NullKeys() {
		for (auto &pair : replaced) {
			*pair.first = std::move(pair.second);
		}
	}

private:
	std::vector<std::pair<unique_ptr<duckdb::Expression> *, unique_ptr<duckdb::Expression>>> replaced;
};

} // namespace

StageExecutions::StageExecutions(duckdb::ClientContext &context_p, DistributedPlan &plan_p)
    : context(context_p), plan(plan_p) {
}

bool StageExecutions::HasDeferredTaskCount(StageId id) const {
	auto &planned = plan.stages[id];
	auto reads_partitions = !planned.scan && planned.partitions > 1;
	auto reads_adaptive = std::any_of(planned.inputs.begin(), planned.inputs.end(),
	                                  [&](StageId input) { return plan.stages[input].adaptive_join.has_value(); });
	return reads_partitions || planned.adaptive_join || planned.skip_if_empty || planned.bounds_from || reads_adaptive;
}

idx_t StageExecutions::SendingThreads(const StageScan &scan) const {
	if (scan.order_matters) {
		return 1;
	}
	// Each worker reads one task of the stage at a time, and together they keep the session's threads busy.
	auto threads = duckdb::NumericCast<idx_t>(duckdb::TaskScheduler::GetScheduler(context).NumberOfThreads());
	auto workers = std::max<idx_t>(plan.options.workers, 1);
	return (threads + workers - 1) / workers;
}

void StageExecutions::Prepare() {
	auto sql = context.GetCurrentQuery();
	for (auto &planned : plan.stages) {
		StageExecution execution;
		execution.stage.id = planned.id;
		execution.fragment_types = planned.fragment->types;
		execution.stage.description = planned.description;
		execution.stage.output = planned.output;
		execution.stage.inputs = planned.inputs;
		execution.outcome.scan_from = planned.id;
		execution.scan = planned.scan.get();
		execution.partitions = planned.partitions;
		execution.sliceable_inputs = planned.sliceable_inputs;
		execution.repeatable = planned.repeatable;
		if (!execution.ReadsPartitions()) {
			if (planned.scan) {
				execution.splitter = std::make_unique<ScanSplitter>(context, planned, sql, plan.options);
				execution.split = execution.splitter->Split(planned.few_tasks);
			} else {
				execution.split = ExtractPipelineTasks(context, planned, sql, plan.options);
			}
			execution.stage.split_kind = execution.split.kind;
			execution.repeatable = execution.repeatable && execution.split.kind != SplitKind::FEED;
		}
		if (execution.scan && execution.scan->reader == StageScan::Reader::FEED) {
			execution.feed = std::make_unique<FeedScan>(context, *execution.scan, SendingThreads(*execution.scan));
		}
		for (auto input : planned.inputs) {
			auto &exchange = plan.stages[input].output;
			if (execution.ReadsPartitions() && IsPartitioned(exchange.kind) &&
			    exchange.partition_count != execution.partitions) {
				throw InternalException("Stage %llu makes %llu partitions, its reader wants %llu", idx_t(input),
				                        idx_t(exchange.partition_count), idx_t(execution.partitions));
			}
		}
		executions.push_back(std::move(execution));
		if (!HasDeferredTaskCount(planned.id)) {
			AssignTasks(executions.back());
			SetFragment(planned.id, Encode(planned.id));
		}
	}
}

std::vector<SchedulerStage> StageExecutions::ForScheduler() const {
	std::vector<SchedulerStage> result;
	for (auto &execution : executions) {
		auto scheduled = ToSchedulerStage(execution.stage);
		auto &after = plan.stages[execution.stage.id].after;
		scheduled.after.assign(after.begin(), after.end());
		scheduled.repeatable = execution.repeatable;
		// the rows of a feed are read in the session, once for each task; and of files, one set is enough
		auto &planned = plan.stages[execution.stage.id];
		auto fed = planned.scan && planned.scan->reader == StageScan::Reader::FEED;
		scheduled.may_speculate = !fed && !planned.writes_files;
		scheduled.deferred_task_count = HasDeferredTaskCount(execution.stage.id);
		if (scheduled.deferred_task_count) {
			scheduled.task_count = execution.ReadsPartitions() ? execution.partitions
			                                                   : static_cast<uint32_t>(execution.split.tasks.size());
		}
		result.push_back(std::move(scheduled));
	}
	return result;
}

bool StageExecutions::ReadsRemoteFiles() const {
	auto is_remote = [](const DistributedPipelineTask &task) { return HasRemoteFiles(task.split); };
	return std::any_of(executions.begin(), executions.end(), [&](const StageExecution &execution) {
		return std::any_of(execution.split.tasks.begin(), execution.split.tasks.end(), is_remote);
	});
}

uint32_t StageExecutions::MostTasks(StageId stage) const {
	if (!HasDeferredTaskCount(stage)) {
		return static_cast<uint32_t>(executions[stage].stage.tasks.size());
	}
	return std::max(executions[stage].partitions, plan.options.MaxTasks());
}

duckdb::vector<PlannedScanFilter> StageExecutions::ScanFilters(StageId stage) const {
	auto &execution = executions[stage];
	duckdb::vector<PlannedScanFilter> result;
	if (!execution.scan) {
		return result;
	}
	// DuckDB filters by the hash table of a join in the same task itself, and looks up less for it
	auto in_task = execution.scan->reader == StageScan::Reader::WORKER;
	for (auto &filter : plan.stages[execution.outcome.scan_from].scan_filters) {
		if (!in_task || !Contains(execution.broadcast_inputs, filter.source)) {
			result.push_back(filter);
		}
	}
	return result;
}

void StageExecutions::NoteOutput(StageId stage, TaskId task, uint64_t rows,
                                 const std::vector<uint64_t> &partition_bytes) {
	executions[stage].has_rows = executions[stage].has_rows || rows > 0;
	auto &bytes = executions[stage].output_bytes;
	if (bytes.size() < executions[stage].stage.tasks.size()) {
		bytes.resize(executions[stage].stage.tasks.size());
	}
	bytes.at(task) = partition_bytes;
}

uint64_t StageExecutions::OutputBytes(StageId stage) const {
	uint64_t result = 0;
	for (auto &task : executions[stage].output_bytes) {
		result = std::accumulate(task.begin(), task.end(), result);
	}
	return result;
}

void StageExecutions::SetBounds(StageId stage, std::vector<std::string> bounds) {
	auto &execution = executions[stage];
	execution.outcome.decision = "cut into " + std::to_string(bounds.size() + 1) + " ranges";
	execution.stage.output.bounds = std::move(bounds);
}

std::variant<StageExecutions::Sized, StageExecutions::Merged> StageExecutions::Resolve(StageId stage) {
	auto &adaptive = plan.stages[stage].adaptive_join;
	if (adaptive) {
		auto bytes = OutputBytes(adaptive->build);
		auto broadcasts = IsWorthBroadcasting(bytes, adaptive->probe_bytes + bytes, plan.options);
		auto size = "stage " + std::to_string(adaptive->build) + " put out " +
		            duckdb::StringUtil::BytesToHumanReadableString(bytes);
		if (broadcasts) {
			executions[stage].outcome.decision =
			    "part of stage " + std::to_string(adaptive->reader) + ": " + size + ", broadcast to it";
			Merge(stage);
			return Merged {adaptive->reader};
		}
		executions[stage].outcome.decision = "shuffled: " + size;
	}
	auto &skip_if_empty = plan.stages[stage].skip_if_empty;
	if (skip_if_empty && !executions[skip_if_empty->without].has_rows) {
		executions[stage].outcome.decision =
		    "not needed: stage " + std::to_string(skip_if_empty->without) + " put out no rows";
		if (!skip_if_empty->may_fail) {
			MakeEmpty(executions[stage]);
			return Sized();
		}
		executions[stage].computes_keys = false;
	}
	AssignTasks(executions[stage]);
	return Sized();
}

void StageExecutions::MakeEmpty(StageExecution &execution) {
	DistributedPipelineTask task;
	task.total_tasks = 1;
	execution.stage.tasks = {std::move(task)};
	execution.stage.inputs.clear();
	execution.scan = nullptr;
	execution.is_empty = true;
}

void StageExecutions::Merge(StageId probe) {
	auto &adaptive = *plan.stages[probe].adaptive_join;
	auto &from = executions[probe];
	auto &into = executions[adaptive.reader];
	auto &inputs = into.stage.inputs;
	inputs.erase(std::remove(inputs.begin(), inputs.end(), probe), inputs.end());
	for (auto input : from.stage.inputs) {
		if (!Contains(inputs, input)) {
			inputs.push_back(input);
		}
	}
	into.merged.push_back(probe);
	into.merged.insert(into.merged.end(), from.merged.begin(), from.merged.end());
	into.broadcast_inputs = from.broadcast_inputs;
	into.broadcast_inputs.push_back(adaptive.build);
	into.sliceable_inputs = from.sliceable_inputs;
	into.scan = from.scan;
	into.outcome.scan_from = from.outcome.scan_from;
	auto broadcast_bytes = OutputBytes(adaptive.build) * from.split.tasks.size();
	auto few_tasks = from.splitter && broadcast_bytes > adaptive.probe_bytes / PROBE_BYTES_PER_BROADCAST_MIN;
	into.split = few_tasks ? from.splitter->Split(true) : from.split;
	into.splitter = std::move(from.splitter);
	into.stage.split_kind = into.split.kind;
	into.feed = std::move(from.feed);
	into.partitions = from.partitions;
	into.repeatable = into.repeatable && from.repeatable;
	from.scan = nullptr;
	from.stage.inputs.clear();
}

void StageExecutions::AssignTasks(StageExecution &execution) {
	if (!execution.ReadsPartitions()) {
		execution.stage.tasks = execution.split.tasks;
		return;
	}
	std::vector<PartitionedInput> inputs;
	for (auto input_stage : execution.stage.inputs) {
		if (!IsPartitioned(executions[input_stage].stage.output.kind) ||
		    Contains(execution.broadcast_inputs, input_stage)) {
			continue;
		}
		PartitionedInput input;
		input.stage = input_stage;
		input.bytes = executions[input_stage].output_bytes;
		input.may_slice = Contains(execution.sliceable_inputs, input_stage);
		inputs.push_back(std::move(input));
	}
	AssignmentOptions options;
	options.wanted_tasks = plan.options.Partitions();
	for (auto input : execution.stage.inputs) {
		if (executions[input].stage.output.kind == ExchangeKind::RANGE) {
			options.wanted_tasks = plan.options.Ranges(OutputBytes(input));
		}
	}
	options.min_task_bytes = plan.options.min_task_bytes;
	auto assignment = AssignPartitions(inputs, execution.partitions, options);
	for (auto &part : assignment) {
		DistributedPipelineTask task;
		task.task_id = static_cast<TaskId>(execution.stage.tasks.size());
		task.total_tasks = static_cast<TaskId>(assignment.size());
		task.split.part = PartitionSplit {part.partition, part.partition_count, part.slice.value_or(OutputSlice())};
		execution.stage.tasks.push_back(std::move(task));
	}
}

std::shared_ptr<const std::string> StageExecutions::Encode(StageId stage) {
	std::lock_guard<std::mutex> guard(encoding);
	auto &execution = executions[stage];
	auto &fragment = plan.stages[stage].fragment;
	if (execution.is_empty) {
		duckdb::LogicalEmptyResult empty(execution.fragment_types, fragment->GetColumnBindings());
		return std::make_shared<const std::string>(EncodeFragment(context, empty));
	}
	NullKeys null_keys;
	if (!execution.computes_keys) {
		null_keys.Put(*fragment, execution.stage.output.column_count);
	}
	Splice splice;
	for (auto merged : execution.merged) {
		splice.Put(fragment, merged, plan.stages[merged].fragment);
	}
	return std::make_shared<const std::string>(EncodeFragment(context, *fragment));
}

void StageExecutions::SetFragment(StageId stage, std::shared_ptr<const std::string> fragment) {
	auto &execution = executions[stage];
	execution.stage.fragment = std::move(fragment);
	for (auto &task : execution.stage.tasks) {
		task.serialized_plan = execution.stage.fragment;
	}
}

StageInputs StageExecutions::InputsOf(StageId stage,
                                      const std::function<std::vector<OutputLocation>(StageId)> &outputs) const {
	auto &execution = executions[stage];
	StageInputs result;
	for (auto input_stage : execution.stage.inputs) {
		auto &exchange = executions[input_stage].stage.output;
		StageInput input;
		input.stage = input_stage;
		input.kind = exchange.kind;
		input.partition_count = exchange.partition_count;
		input.whole = Contains(execution.broadcast_inputs, input_stage);
		input.outputs = outputs(input_stage);
		result.push_back(std::move(input));
	}
	return result;
}

StageOutcome StageExecutions::Outcome(StageId stage) const {
	auto result = executions[stage].outcome;
	result.scan_filters = ScanFilters(stage).size();
	return result;
}

bool StageExecutions::FeedWasRead(StageId stage, TaskId task) const {
	auto &execution = executions[stage];
	return execution.feed && execution.split.kind == SplitKind::FEED && execution.feed->WasRead(task);
}

void StageExecutions::CancelFeeds() {
	for (auto &execution : executions) {
		if (execution.feed) {
			execution.feed->Cancel();
		}
	}
}

void StageExecutions::CloseFeeds() {
	for (auto &execution : executions) {
		execution.feed.reset();
	}
}

} // namespace duckherder
