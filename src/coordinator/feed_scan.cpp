#include "coordinator/feed_scan.hpp"

#include "compat/names.hpp"
#include "compat/vectors.hpp"
#include "coordinator/table_range.hpp"
#include "engine/copy_plan.hpp"
#include "engine/restrict_rows.hpp"
#include "engine/scan_filter.hpp"

#include "duckdb/execution/column_binding_resolver.hpp"
#include "duckdb/execution/execution_context.hpp"
#include "duckdb/execution/operator/scan/physical_table_scan.hpp"
#include "duckdb/execution/physical_plan_generator.hpp"
#include "duckdb/main/settings.hpp"
#include "duckdb/parallel/async_result.hpp"
#include "duckdb/parallel/thread_context.hpp"

#include <atomic>
#include <mutex>
#include <optional>

namespace duckherder {

using namespace duckdb;

namespace {

//! A scan and its steps, ready to be planned
unique_ptr<LogicalOperator> CloneSteps(unique_ptr<LogicalGet> get, const vector<unique_ptr<LogicalOperator>> &steps) {
	unique_ptr<LogicalOperator> result = std::move(get);
	for (auto &step : steps) {
		result = CopyStep(*step, std::move(result));
	}
	ColumnBindingResolver resolver;
	resolver.VisitOperator(*result);
	result->ResolveOperatorTypes();
	return result;
}

//! A scan as DuckDB's planner would run it: the table scan, and above it filters and projections
class ScanSource : public ChunkSource {
public:
	//! `range_p`: null unless that has to be read instead of all that the function of the scan would read
	ScanSource(ClientContext &context_p, unique_ptr<LogicalOperator> scan_and_steps,
	           std::unique_ptr<TableRange> range_p = nullptr, idx_t sending_threads_p = 1)
	    : context(context_p), range(std::move(range_p)), types(scan_and_steps->types),
	      sending_threads(sending_threads_p) {
		plan = make_uniq<PhysicalPlanGenerator>(context);
		plan->ArenaRef();
		reference<PhysicalOperator> op = plan->CreatePlan(*scan_and_steps);
		while (op.get().type != PhysicalOperatorType::TABLE_SCAN) {
			steps.insert(steps.begin(), op);
			op = op.get().children[0].get();
		}
		scan = op.get().Cast<PhysicalTableScan>();
	}

	//! Once, before it is read; may open files
	void Initialize() {
		if (!range && scan->function.init_global) {
			TableFunctionInitInput input(scan->bind_data.get(), scan->column_ids, scan->projection_ids,
			                             scan->table_filters.get(), scan->extra_info.sample_options, scan.get());
			global_state = scan->function.init_global(context, input);
		}
		for (auto &step : steps) {
			step_states.push_back(step.get().GetGlobalOperatorState(context));
		}
	}

	const vector<LogicalType> &Types() const override {
		return types;
	}

	idx_t MaxReaders() const override {
		if (range) {
			return MaxValue<idx_t>(range->RowGroupCount(), 1);
		}
		// without a batch index only one reader can keep the order
		return global_state && scan->function.get_partition_data ? global_state->MaxThreads() : 1;
	}

	idx_t SendingThreads() const override {
		return MinValue(MaxReaders(), sending_threads);
	}

	std::unique_ptr<ChunkReader> OpenReader() override;
	//! `stop` ends this reader alone
	std::unique_ptr<ChunkReader> OpenReader(std::shared_ptr<std::atomic<bool>> stop);

	void Cancel() override {
		cancelled = true;
	}

	//! A function that has failed is not called again, by no thread: what it left behind is not meant for that. All
	//! readers get the first error.
	void Fail(const std::exception &error) {
		std::lock_guard<std::mutex> guard(failure_lock);
		if (!failure) {
			failure = ErrorData(error);
			failed = true;
		}
		failure->Throw();
	}

	void CheckNotFailed() {
		if (failed) {
			std::lock_guard<std::mutex> guard(failure_lock);
			failure->Throw();
		}
	}

	unique_ptr<FunctionData> TakeBindData() {
		return std::move(scan->bind_data);
	}

	ClientContext &context;
	const std::unique_ptr<TableRange> range;
	vector<LogicalType> types;
	const idx_t sending_threads;
	unique_ptr<PhysicalPlanGenerator> plan;
	optional_ptr<PhysicalTableScan> scan;
	vector<reference<PhysicalOperator>> steps;
	vector<unique_ptr<GlobalOperatorState>> step_states;
	unique_ptr<GlobalTableFunctionState> global_state;
	std::atomic<bool> cancelled {false};
	std::atomic<bool> failed {false};

private:
	std::mutex failure_lock;
	std::optional<ErrorData> failure;
};

class ScanReader : public ChunkReader {
public:
	ScanReader(ScanSource &source_p, std::shared_ptr<std::atomic<bool>> stop_p)
	    : source(source_p), stop(std::move(stop_p)), thread(source.context),
	      execution(source.context, thread, nullptr) {
		auto &scan = *source.scan;
		if (source.range) {
			range_reader = std::make_unique<TableRange::Reader>(source.context, *source.range, scan);
		} else if (scan.function.init_local) {
			TableFunctionInitInput input(scan.bind_data.get(), scan.column_ids, scan.projection_ids,
			                             scan.table_filters.get(), scan.extra_info.sample_options, &scan);
			local_state = scan.function.init_local(execution, input, source.global_state.get());
		}
		for (auto &step : source.steps) {
			step_states.push_back(step.get().GetOperatorState(execution));
			auto &input_types = step.get().children[0].get().types;
			inputs.push_back(make_uniq<DataChunk>());
			inputs.back()->Initialize(Allocator::Get(source.context), input_types);
		}
	}

	void Next(DataChunk &chunk) override {
		chunk.SetChildCardinality(0);
		while (chunk.size() == 0 && !ended) {
			if (source.cancelled || source.context.IsInterrupted() || (stop && *stop)) {
				throw InterruptException();
			}
			source.CheckNotFailed();
			auto &first = inputs.empty() ? chunk : *inputs[0];
			first.Reset();
			try {
				ended = !CallFunction(first);
				if (first.size() > 0) {
					RunSteps(chunk);
				}
			} catch (std::exception &error) {
				source.Fail(error);
			}
		}
	}

	idx_t BatchIndex() const override {
		if (range_reader) {
			return range_reader->BatchIndex();
		}
		if (!source.scan->function.get_partition_data) {
			return 0;
		}
		auto partition_info = OperatorPartitionInfo::BatchIndex();
		TableFunctionGetPartitionInput input(source.scan->bind_data.get(), local_state.get(), source.global_state.get(),
		                                     partition_info);
		return source.scan->function.get_partition_data(source.context, input).batch_index;
	}

private:
	//! As PhysicalTableScan calls it, including the way in which it may wait: in another one, a multi-file scan ends
	//! for all threads when it has ended for the first. False once the function must not be called again; the last rows
	//! may have come with that.
	bool CallFunction(DataChunk &output) {
		if (range_reader) {
			range_reader->Next(output);
			return output.size() > 0;
		}
		TableFunctionInput data(source.scan->bind_data.get(), local_state.get(), source.global_state.get());
		data.async_result = AsyncResultType::IMPLICIT;
		data.results_execution_mode = AsyncResult::ConvertToAsyncResultExecutionMode(
		    Settings::Get<DebugPhysicalTableScanExecutionStrategySetting>(source.context));
		source.scan->function.function(source.context, data, output);
		switch (data.async_result.GetResultType()) {
		case AsyncResultType::IMPLICIT:
			return output.size() > 0;
		case AsyncResultType::HAVE_MORE_OUTPUT:
			return true;
		case AsyncResultType::FINISHED:
			return false;
		case AsyncResultType::BLOCKED:
			// this thread is the feed's own, and may wait
			data.async_result.ExecuteTasksSynchronously();
			return true;
		default:
			throw InternalException("The table function %s returned an unexpected result",
			                        FunctionName(source.scan->function));
		}
	}

	void RunSteps(DataChunk &chunk) {
		for (idx_t i = 0; i < source.steps.size(); i++) {
			auto &output = i + 1 < inputs.size() ? *inputs[i + 1] : chunk;
			output.Reset();
			source.steps[i].get().Execute(execution, *inputs[i], output, *source.step_states[i], *step_states[i]);
		}
	}

	ScanSource &source;
	//! The function has said that there is no more for this thread
	bool ended = false;
	std::shared_ptr<std::atomic<bool>> stop;
	ThreadContext thread;
	ExecutionContext execution;
	unique_ptr<LocalTableFunctionState> local_state;
	//! In place of the function
	std::unique_ptr<TableRange::Reader> range_reader;
	vector<unique_ptr<OperatorState>> step_states;
	//! Input of each step
	vector<unique_ptr<DataChunk>> inputs;
};

std::unique_ptr<ChunkReader> ScanSource::OpenReader() {
	return OpenReader(nullptr);
}

std::unique_ptr<ChunkReader> ScanSource::OpenReader(std::shared_ptr<std::atomic<bool>> stop) {
	return std::make_unique<ScanReader>(*this, std::move(stop));
}

//! One task's view of the shared scan: as many tasks read as there are, each with one reader. `turns` stands in front
//! of a scan that knows only one thread.
class SharedFeed : public ChunkSource {
public:
	//! `on_open` is called before the first row is taken
	SharedFeed(std::shared_ptr<ScanSource> source_p, std::shared_ptr<ChunkSource> turns_p, std::mutex &lock_p,
	           std::function<void()> on_open_p)
	    : source(std::move(source_p)), turns(std::move(turns_p)), lock(lock_p), on_open(std::move(on_open_p)) {
	}
	const vector<LogicalType> &Types() const override {
		return source->Types();
	}
	idx_t MaxReaders() const override {
		return 1;
	}
	std::unique_ptr<ChunkReader> OpenReader() override {
		std::lock_guard<std::mutex> guard(lock);
		on_open();
		return turns ? turns->OpenReader() : source->OpenReader(stop);
	}
	//! For this task only: others go on with the scan
	void Cancel() override {
		*stop = true;
	}

private:
	std::shared_ptr<ScanSource> source;
	std::shared_ptr<ChunkSource> turns;
	std::mutex &lock;
	std::function<void()> on_open;
	std::shared_ptr<std::atomic<bool>> stop = std::make_shared<std::atomic<bool>>(false);
};

//! For table functions that know only one thread: the tasks take turns with one reader
class TurnsSource : public ChunkSource {
public:
	explicit TurnsSource(std::shared_ptr<ChunkSource> source_p)
	    : source(std::move(source_p)), reader(source->OpenReader()) {
	}
	const vector<LogicalType> &Types() const override {
		return source->Types();
	}
	idx_t MaxReaders() const override {
		return 1;
	}
	std::unique_ptr<ChunkReader> OpenReader() override {
		return std::make_unique<TurnsReader>(*this);
	}
	void Cancel() override {
		source->Cancel();
	}

private:
	class TurnsReader : public ChunkReader {
	public:
		explicit TurnsReader(TurnsSource &parent_p) : parent(parent_p) {
			buffer.Initialize(Allocator::DefaultAllocator(), parent.Types());
		}
		void Next(DataChunk &chunk) override {
			std::lock_guard<std::mutex> guard(parent.turn);
			buffer.Reset();
			if (!parent.finished) {
				parent.reader->Next(buffer);
				parent.finished = buffer.size() == 0;
			}
			// a copy: the reader overwrites its vectors as soon as the next task has its turn
			chunk.Reset();
			AppendAll(chunk, buffer);
		}
		idx_t BatchIndex() const override {
			return 0;
		}

	private:
		TurnsSource &parent;
		DataChunk buffer;
	};

	std::shared_ptr<ChunkSource> source;
	std::unique_ptr<ChunkReader> reader;
	std::mutex turn;
	bool finished = false;
};

} // namespace

class FeedScan::Impl : public ScanSource {
public:
	using ScanSource::ScanSource;
};

FeedScan::FeedScan(ClientContext &context_p, const StageScan &scan, idx_t sending_threads_p)
    : context(context_p), get(scan.Get()), steps(scan.feed_steps), sending_threads(sending_threads_p) {
}

FeedScan::~FeedScan() {
	if (shared) {
		// the same plan may run again: a prepared statement
		turns.reset();
		get.bind_data = shared->TakeBindData();
	}
}

std::shared_ptr<ChunkSource> FeedScan::Open(const ScanSplit &split, TaskId task,
                                            const std::vector<FeedFilter> &filters) {
	std::lock_guard<std::mutex> guard(lock);
	auto stream = std::get_if<FeedSplit>(&split.part);
	if (!stream) {
		auto clone = CopyScan(get, get.bind_data->Copy());
		std::unique_ptr<TableRange> range;
		if (TableRange::CanRead(get, split)) {
			range = std::make_unique<TableRange>(context, get, split.Rows());
			ScanSplit to_filter;
			to_filter.part = RangeSplit {{std::nullopt, {range->FirstRowToFilter(), ROWS_UNBOUNDED}}};
			RestrictRows(context, *clone, COLUMN_IDENTIFIER_ROW_ID, to_filter);
		} else {
			RestrictRows(context, *clone, COLUMN_IDENTIFIER_ROW_ID, split);
		}
		for (auto &filter : filters) {
			FilterScanByKeys(*clone, filter.column, filter.keys, filter.pruned);
		}
		auto source = std::make_shared<ScanSource>(context, CloneSteps(std::move(clone), steps), std::move(range),
		                                           sending_threads);
		source->Initialize();
		return source;
	}
	if (WasRead(task)) {
		throw IOException("The rows of %s were read once already and cannot be read again for a retry",
		                  FunctionName(get.function));
	}
	if (!shared) {
		// most table functions cannot copy what they bound
		shared = std::make_shared<Impl>(context, CloneSteps(CopyScan(get, std::move(get.bind_data)), steps));
		try {
			shared->Initialize();
		} catch (const std::exception &error) {
			shared->Fail(error);
		}
		if (shared->MaxReaders() < stream->readers) {
			turns = std::make_shared<TurnsSource>(shared);
		}
	}
	shared->CheckNotFailed();
	return std::make_shared<SharedFeed>(shared, turns, lock, [this, task] {
		std::lock_guard<std::mutex> opened_guard(opened_lock);
		opened.insert(task);
	});
}

bool FeedScan::WasRead(TaskId task) {
	std::lock_guard<std::mutex> guard(opened_lock);
	return opened.count(task) > 0;
}

void FeedScan::Cancel() {
	std::lock_guard<std::mutex> guard(lock);
	if (shared) {
		shared->Cancel();
	}
}

} // namespace duckherder
