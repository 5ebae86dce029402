#include "coordinator/stage_runs.hpp"

#include "engine/exchange_scan.hpp"
#include "engine/fragment.hpp"
#include "engine/scan_file.hpp"
#include "planner/place/choose_joins.hpp"

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

//! Each task of a stage builds a hash table of its own from a copied input. Where these, taken together, are more than
//! this part of what the tasks read, there are better few of them; else many, which share the work better.
constexpr uint64_t PROBE_BYTES_PER_COPIED_MIN = 16;

template <class STAGES>
bool Contains(const STAGES &stages, StageId stage) {
	return std::find(stages.begin(), stages.end(), stage) != stages.end();
}

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
			    duckdb::make_uniq<duckdb::BoundConstantExpression>(duckdb::Value(key->return_type));
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

StageRuns::StageRuns(duckdb::ClientContext &context_p, DistributedPlan &plan_p) : context(context_p), plan(plan_p) {
}

bool StageRuns::SizedLate(StageId id) const {
	auto &planned = plan.stages[id];
	auto dealt = !planned.scan && planned.partitions > 1;
	auto reads_chance = std::any_of(planned.inputs.begin(), planned.inputs.end(),
	                                [&](StageId input) { return plan.stages[input].join_chance.has_value(); });
	return dealt || planned.join_chance || planned.needless || reads_chance;
}

void StageRuns::Prepare() {
	auto sql = context.GetCurrentQuery();
	for (auto &planned : plan.stages) {
		Run run;
		run.stage.id = planned.id;
		run.stage.description = planned.description;
		run.stage.output = planned.output;
		run.stage.inputs = planned.inputs;
		run.outcome.scan_from = planned.id;
		run.scan = planned.scan.get();
		run.partitions = planned.partitions;
		run.sliceable_inputs = planned.sliceable_inputs;
		run.repeatable = planned.repeatable;
		if (!run.IsDealt()) {
			if (planned.scan) {
				run.splitter = std::make_unique<ScanSplitter>(context, planned, sql, plan.options);
				run.split = run.splitter->Split(planned.few_tasks);
			} else {
				run.split = ExtractPipelineTasks(context, planned, sql, plan.options);
			}
			run.stage.split_kind = run.split.kind;
			run.repeatable = run.repeatable && run.split.kind != SplitKind::FEED;
		}
		if (run.scan && run.scan->reader == StageScan::Reader::FEED) {
			run.feed = std::make_unique<FeedScan>(context, *run.scan->feed_scan);
		}
		for (auto input : planned.inputs) {
			auto &exchange = plan.stages[input].output;
			if (run.IsDealt() && exchange.kind == ExchangeKind::HASH && exchange.partition_count != run.partitions) {
				throw InternalException("Stage %llu makes %llu partitions, its reader wants %llu", idx_t(input),
				                        idx_t(exchange.partition_count), idx_t(run.partitions));
			}
		}
		runs.push_back(std::move(run));
		if (!SizedLate(planned.id)) {
			AssignTasks(runs.back());
			Encode(runs.back());
		}
	}
}

std::vector<SchedulerStage> StageRuns::ForScheduler() const {
	std::vector<SchedulerStage> result;
	for (auto &run : runs) {
		auto scheduled = ToSchedulerStage(run.stage);
		auto &after = plan.stages[run.stage.id].after;
		scheduled.after.assign(after.begin(), after.end());
		scheduled.repeatable = run.repeatable;
		// the rows of a feed are read in the session, once for each task; and of files, one set is enough
		auto &planned = plan.stages[run.stage.id];
		auto fed = planned.scan && planned.scan->reader == StageScan::Reader::FEED;
		scheduled.may_copy = !fed && !planned.writes_files;
		scheduled.sized_late = SizedLate(run.stage.id);
		if (scheduled.sized_late) {
			scheduled.task_count = run.IsDealt() ? run.partitions : static_cast<uint32_t>(run.split.tasks.size());
		}
		result.push_back(std::move(scheduled));
	}
	return result;
}

bool StageRuns::ReadsRemoteFiles() const {
	auto is_remote = [](const DistributedPipelineTask &task) { return HasRemoteFiles(task.split); };
	return std::any_of(runs.begin(), runs.end(), [&](const Run &run) {
		return std::any_of(run.split.tasks.begin(), run.split.tasks.end(), is_remote);
	});
}

uint32_t StageRuns::MostTasks(StageId stage) const {
	if (!SizedLate(stage)) {
		return static_cast<uint32_t>(runs[stage].stage.tasks.size());
	}
	return std::max(runs[stage].partitions, plan.options.MaxTasks());
}

duckdb::vector<PlannedScanFilter> StageRuns::ScanFilters(StageId stage) const {
	auto &run = runs[stage];
	duckdb::vector<PlannedScanFilter> result;
	if (!run.scan) {
		return result;
	}
	// DuckDB filters by the hash table of a join in the same task itself, and looks up less for it
	auto in_task = run.scan->reader == StageScan::Reader::WORKER;
	for (auto &filter : plan.stages[run.outcome.scan_from].scan_filters) {
		if (!in_task || !Contains(run.copied_inputs, filter.source)) {
			result.push_back(filter);
		}
	}
	return result;
}

void StageRuns::NoteOutput(StageId stage, TaskId task, uint64_t rows, const std::vector<uint64_t> &partition_bytes) {
	runs[stage].has_rows = runs[stage].has_rows || rows > 0;
	auto &bytes = runs[stage].output_bytes;
	if (bytes.size() < runs[stage].stage.tasks.size()) {
		bytes.resize(runs[stage].stage.tasks.size());
	}
	bytes.at(task) = partition_bytes;
}

uint64_t StageRuns::OutputBytes(StageId stage) const {
	uint64_t result = 0;
	for (auto &task : runs[stage].output_bytes) {
		result = std::accumulate(task.begin(), task.end(), result);
	}
	return result;
}

std::variant<StageRuns::Sized, StageRuns::Merged> StageRuns::Size(StageId stage) {
	auto &chance = plan.stages[stage].join_chance;
	if (chance) {
		auto bytes = OutputBytes(chance->build);
		auto copies = IsWorthCopying(bytes, chance->probe_bytes + bytes, plan.options);
		auto size = "stage " + std::to_string(chance->build) + " put out " +
		            duckdb::StringUtil::BytesToHumanReadableString(bytes);
		if (copies) {
			runs[stage].outcome.decision =
			    "part of stage " + std::to_string(chance->reader) + ": " + size + ", copied to it";
			Merge(stage);
			return Merged {chance->reader};
		}
		runs[stage].outcome.decision = "shuffled: " + size;
	}
	auto &needless = plan.stages[stage].needless;
	if (needless && !runs[needless->without].has_rows) {
		runs[stage].outcome.decision = "not needed: stage " + std::to_string(needless->without) + " put out no rows";
		if (!needless->may_fail) {
			MakeEmpty(runs[stage]);
			return Sized();
		}
		runs[stage].computes_keys = false;
	}
	AssignTasks(runs[stage]);
	Encode(runs[stage]);
	return Sized();
}

void StageRuns::MakeEmpty(Run &run) {
	auto &fragment = *plan.stages[run.stage.id].fragment;
	DistributedPipelineTask task;
	task.total_tasks = 1;
	run.stage.tasks = {std::move(task)};
	run.stage.inputs.clear();
	run.scan = nullptr;
	SetFragment(run, duckdb::LogicalEmptyResult(fragment.types, fragment.GetColumnBindings()));
}

void StageRuns::Merge(StageId probe) {
	auto &chance = *plan.stages[probe].join_chance;
	auto &from = runs[probe];
	auto &into = runs[chance.reader];
	auto &inputs = into.stage.inputs;
	inputs.erase(std::remove(inputs.begin(), inputs.end(), probe), inputs.end());
	for (auto input : from.stage.inputs) {
		if (!Contains(inputs, input)) {
			inputs.push_back(input);
		}
	}
	into.merged.push_back(probe);
	into.merged.insert(into.merged.end(), from.merged.begin(), from.merged.end());
	into.copied_inputs = from.copied_inputs;
	into.copied_inputs.push_back(chance.build);
	into.sliceable_inputs = from.sliceable_inputs;
	into.scan = from.scan;
	into.outcome.scan_from = from.outcome.scan_from;
	auto copied_bytes = OutputBytes(chance.build) * from.split.tasks.size();
	auto few_tasks = from.splitter && copied_bytes > chance.probe_bytes / PROBE_BYTES_PER_COPIED_MIN;
	into.split = few_tasks ? from.splitter->Split(true) : from.split;
	into.splitter = std::move(from.splitter);
	into.stage.split_kind = into.split.kind;
	into.feed = std::move(from.feed);
	into.partitions = from.partitions;
	into.repeatable = into.repeatable && from.repeatable;
	from.scan = nullptr;
	from.stage.inputs.clear();
}

void StageRuns::AssignTasks(Run &run) {
	if (!run.IsDealt()) {
		run.stage.tasks = run.split.tasks;
		return;
	}
	std::vector<PartitionedInput> inputs;
	for (auto input_stage : run.stage.inputs) {
		if (runs[input_stage].stage.output.kind != ExchangeKind::HASH || Contains(run.copied_inputs, input_stage)) {
			continue;
		}
		PartitionedInput input;
		input.stage = input_stage;
		input.bytes = runs[input_stage].output_bytes;
		input.may_slice = Contains(run.sliceable_inputs, input_stage);
		inputs.push_back(std::move(input));
	}
	AssignmentOptions options;
	options.wanted_tasks = plan.options.Partitions();
	options.min_task_bytes = plan.options.min_task_bytes;
	auto assignment = AssignPartitions(inputs, run.partitions, options);
	for (auto &part : assignment) {
		DistributedPipelineTask task;
		task.task_id = static_cast<TaskId>(run.stage.tasks.size());
		task.total_tasks = static_cast<TaskId>(assignment.size());
		task.split.partition = part.partition;
		task.split.partition_count = part.partition_count;
		if (part.slice) {
			task.split.slice = *part.slice;
		}
		run.stage.tasks.push_back(std::move(task));
	}
}

void StageRuns::Encode(Run &run) {
	auto &fragment = plan.stages[run.stage.id].fragment;
	NullKeys null_keys;
	if (!run.computes_keys) {
		null_keys.Put(*fragment, run.stage.output.column_count);
	}
	Splice splice;
	for (auto merged : run.merged) {
		splice.Put(fragment, merged, plan.stages[merged].fragment);
	}
	SetFragment(run, *fragment);
}

void StageRuns::SetFragment(Run &run, const LogicalOperator &fragment) {
	run.stage.fragment = std::make_shared<const std::string>(EncodeFragment(context, fragment));
	for (auto &task : run.stage.tasks) {
		task.serialized_plan = run.stage.fragment;
	}
}

StageInputs StageRuns::InputsOf(StageId stage,
                                const std::function<std::vector<OutputLocation>(StageId)> &outputs) const {
	auto &run = runs[stage];
	StageInputs result;
	for (auto input_stage : run.stage.inputs) {
		auto &exchange = runs[input_stage].stage.output;
		StageInput input;
		input.stage = input_stage;
		input.kind = exchange.kind;
		input.partition_count = exchange.partition_count;
		input.whole = Contains(run.copied_inputs, input_stage);
		input.outputs = outputs(input_stage);
		result.push_back(std::move(input));
	}
	return result;
}

StageOutcome StageRuns::Outcome(StageId stage) const {
	auto result = runs[stage].outcome;
	result.scan_filters = ScanFilters(stage).size();
	return result;
}

bool StageRuns::FeedWasRead(StageId stage, TaskId task) const {
	auto &run = runs[stage];
	return run.feed && run.split.kind == SplitKind::FEED && run.feed->WasRead(task);
}

void StageRuns::CancelFeeds() {
	for (auto &run : runs) {
		if (run.feed) {
			run.feed->Cancel();
		}
	}
}

void StageRuns::CloseFeeds() {
	for (auto &run : runs) {
		run.feed.reset();
	}
}

} // namespace duckherder
