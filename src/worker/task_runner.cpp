#include "worker/task_runner.hpp"

#include "compat/results.hpp"
#include "wire/error_hints.hpp"
#include "wire/errors.hpp"
#include "engine/fragment.hpp"
#include "engine/sorted_files.hpp"
#include "engine/plan_statement.hpp"
#include "wire/row_codec.hpp"
#include "engine/scan_file.hpp"
#include "exchange/exchange_sink.hpp"
#include "worker/apply_split.hpp"
#include "worker/join_filters.hpp"
#include "worker/worker_file_system.hpp"

#include "duckdb/execution/column_binding_resolver.hpp"
#include "duckdb/execution/physical_plan_generator.hpp"
#include "duckdb/main/client_context.hpp"
#include "duckdb/main/valid_checker.hpp"
#include "duckdb/parallel/task_scheduler.hpp"
#include "duckdb/planner/operator/logical_extension_operator.hpp"
#include "duckdb/transaction/meta_transaction.hpp"

#include <numeric>

namespace duckherder {

using namespace duckdb;

namespace {

//! The transaction of an attempt: all that its fragment looks up and reads belongs to it. Rolled back unless committed.
class TaskTransaction {
public:
	TaskTransaction(ClientContext &context_p, int64_t start_us) : context(context_p) {
		context.transaction.BeginTransaction();
		context.transaction.SetAutoCommit(false);
		if (start_us != 0) {
			// now() and its kin are the same in all tasks of a query
			MetaTransaction::Get(context).start_timestamp = timestamp_t(start_us);
		}
	}
	~TaskTransaction() {
		if (!context.transaction.HasActiveTransaction()) {
			return;
		}
		try {
			// stops what a query may still have running, and waits for it: it reads under this transaction
			context.CancelTransaction();
			context.transaction.Rollback(nullptr);
		} catch (...) { // NOLINT: the attempt has failed already
		}
	}
	void Commit() {
		context.transaction.Commit();
	}

private:
	ClientContext &context;
};

//! What is hung onto a connection for one attempt
class TaskConnection {
public:
	TaskConnection(ClientContext &context_p, RunningTask &task_p, const ScanSplit &split, shared_ptr<TaskInputs> inputs)
	    : context(context_p), task(task_p) {
		TaskInputs::Install(context, inputs);
		TaskFileVersions::Install(context, split);
		task.Attach(context.shared_from_this(), std::move(inputs));
	}
	~TaskConnection() {
		task.Detach();
		RemoveExchangeSink(context);
		TaskFileVersions::Remove(context);
		TaskInputs::Remove(context);
	}

private:
	ClientContext &context;
	RunningTask &task;
};

//! The root of a fragment: the session has optimized it, and DuckDB's optimizer fails on parts of plans. Switching the
//! optimizer off for the connection is not the same: operators then choose naive algorithms, quadratic ones in windows.
class OptimizedPlan : public LogicalExtensionOperator {
public:
	explicit OptimizedPlan(unique_ptr<LogicalOperator> plan) {
		children.push_back(std::move(plan));
		ResolveOperatorTypes();
	}

	bool RequireOptimizer() const override {
		return false;
	}
	vector<ColumnBinding> GetColumnBindings() override {
		return children[0]->GetColumnBindings();
	}
	void ResolveColumnBindings(ColumnBindingResolver &resolver, vector<ColumnBinding> &bindings) override {
		resolver.VisitOperator(*children[0]);
		bindings = GetColumnBindings();
	}
	PhysicalOperator &CreatePlan(ClientContext &, PhysicalPlanGenerator &planner) override {
		return planner.CreatePlan(*children[0]);
	}

protected:
	void ResolveTypes() override {
		types = children[0]->types;
	}
};

vector<LogicalType> OutputTypes(const LogicalOperator &plan, const Exchange &exchange) {
	auto types = plan.types;
	if (exchange.column_count > types.size()) {
		throw InternalException("An exchange of %llu columns, the fragment has %llu", idx_t(exchange.column_count),
		                        idx_t(types.size()));
	}
	if (exchange.column_count > 0) {
		types.resize(exchange.column_count);
	}
	return types;
}

//! Of an invalid database: whether this error made it so. Others that were running only get one that quotes it.
bool BreaksDatabase(const ErrorData &error) {
	auto severe = error.Type() == ExceptionType::FATAL || error.Type() == ExceptionType::INTERNAL;
	return severe && error.RawMessage().find("database has been invalidated") == std::string::npos;
}

//! The rows of each partition if all are small together
std::vector<std::string> InlineRows(OutputBuffer &output, uint64_t bytes_max) {
	std::vector<std::string> result;
	auto &bytes = output.PartitionBytes();
	if (std::accumulate(bytes.begin(), bytes.end(), uint64_t(0)) > bytes_max) {
		return result;
	}
	for (uint32_t partition = 0; partition < output.PartitionCount(); partition++) {
		auto source = output.PartitionRows()[partition] > 0 ? output.Open(partition) : nullptr;
		auto rows = source ? EncodeRows(*source->OpenReader(), output.Types(), bytes_max) : std::string();
		if (!rows) {
			return {};
		}
		bytes_max -= rows->size();
		result.push_back(std::move(*rows));
	}
	return result;
}

std::vector<std::string> PathsOf(const ScanSplit &split) {
	std::vector<std::string> result;
	for (const ScanFile &file : split.AllFiles()) {
		result.push_back(file.path);
	}
	return result;
}

} // namespace

TaskRunner::TaskRunner(WorkerId id_p, std::shared_ptr<DuckDB> db_p, std::shared_ptr<WorkerConnector> peers_p,
                       ConnectionPool &connections_p, OutputStore &outputs_p, ThreadCount &threads_p)
    : id(std::move(id_p)), db(std::move(db_p)), peers(std::move(peers_p)), connections(connections_p),
      outputs(outputs_p), threads(threads_p) {
}

TaskResult TaskRunner::Run(RunningTask &task, const TaskRequest &request, std::shared_ptr<ChunkSource> feed) {
	TaskResult result;
	Inputs inputs;
	inputs.measures = std::make_shared<TaskMeasures>();
	try {
		ThreadCount::Use use(threads, HasRemoteFiles(request.split));
		ConnectInputs(inputs, request, std::move(feed));
		auto output = Execute(task, request, inputs);
		output = outputs.Put(request.query_id, {request.stage_id, request.task_id}, request.attempt, std::move(output));
		if (task.Cancelled()) {
			// CancelQuery may have dropped the query's outputs just before this one came; if only this attempt was
			// stopped, the others are still needed
			outputs.Drop(request.query_id, {request.stage_id, request.task_id}, request.attempt);
			throw InterruptException();
		}
		result.partition_rows = output->PartitionRows();
		result.partition_bytes = output->PartitionBytes();
		result.input_rows = inputs.scans->scanned_rows + *inputs.fed_rows;
		result.pruned_rows = *inputs.pruned_rows;
		result.spilled_bytes = output->SpilledBytes();
		result.prepared_us = inputs.measures->prepared_us;
		result.reads = inputs.measures->Reads();
		result.inline_rows = InlineRows(*output, request.inline_bytes_max);
		for (auto &keys : output->KeySets()) {
			result.key_sets.push_back(keys.Encode());
		}
		if (request.output.SamplesKeys()) {
			result.key_sample = output->Sample().Encode();
		}
	} catch (const std::exception &error) {
		result = TaskResult();
		result.failed = true;
		result.error = ErrorOf(task, inputs, ErrorData(error));
		NameFiles(result.error, PathsOf(request.split));
	} catch (...) {
		result = TaskResult();
		result.failed = true;
		result.error = ErrorOf(task, inputs, ErrorData(ExceptionType::INTERNAL, "unknown exception in a task"));
	}
	result.duration_us = inputs.measures->NowUs();
	return result;
}

TaskError TaskRunner::ErrorOf(const RunningTask &task, const Inputs &inputs, const ErrorData &error) {
	auto result = ToTaskError(error, id);
	auto memory_error = task.MemoryError();
	if (task.Cancelled()) {
		result.kind = ErrorKind::CANCELLED;
	} else if (!memory_error.empty()) {
		result = ToTaskError(ErrorData(ExceptionType::OUT_OF_MEMORY, memory_error), id);
	} else if (ValidChecker::IsInvalidated(*db->instance)) {
		result.kind = ErrorKind::BROKEN;
		result.breaks_worker = BreaksDatabase(error);
	} else if (inputs.lost && !inputs.lost->Get().empty()) {
		result.kind = ErrorKind::LOST_INPUT;
		result.lost_worker = inputs.lost->Get();
	}
	return result;
}

void TaskRunner::ConnectInputs(Inputs &result, const TaskRequest &request, std::shared_ptr<ChunkSource> feed) {
	result.scans = make_shared_ptr<TaskInputs>();
	result.lost = std::make_shared<LostInput>();
	result.fed_rows = std::make_shared<std::atomic<uint64_t>>(0);
	result.pruned_rows = std::make_shared<std::atomic<uint64_t>>(0);
	if (feed) {
		ExchangeScanSource source;
		source.is_feed = true;
		result.scans->AddOnce(source, std::make_shared<CountingSource>(std::move(feed), result.fed_rows));
	} else if (request.split.fed) {
		throw InternalException("The task reads a feed, but none came with it");
	}
	if (!request.inputs) {
		return;
	}
	for (auto &input : *request.inputs) {
		ExchangeScanSource source;
		source.stage = input.stage;
		result.scans->Add(source, [this, &request, &input, lost = result.lost,
		                           measures = result.measures](const vector<LogicalType> &types) {
			return OpenStage(request, input, types, lost, measures);
		});
	}
}

std::shared_ptr<ChunkSource> TaskRunner::OpenStage(const TaskRequest &request, const StageInput &input,
                                                   const vector<LogicalType> &types, std::shared_ptr<LostInput> lost,
                                                   std::shared_ptr<TaskMeasures> measures) {
	auto all = input.whole || !IsPartitioned(input.kind);
	auto own = request.split.Partitions();
	auto partition = all ? 0 : own.partition;
	auto partition_count = all ? input.partition_count : own.partition_count;
	std::vector<StageInputSource::Output> sources;
	auto &counts = measures->Of(input.stage);
	for (auto &location : input.outputs) {
		if (!own.slice.Contains(input.stage, location.task)) {
			continue;
		}
		StageInputSource::Output output;
		output.location = location;
		// as the driver calls this worker, which may not be how it calls itself
		if (location.rows) {
			output.source = DecodePartitions(*location.rows, partition, partition_count, types);
			for (auto i = partition; i < partition + partition_count && i < location.rows->size(); i++) {
				counts.inline_bytes += (*location.rows)[i].size();
			}
		} else if (location.worker.id == request.worker_id) {
			auto buffer = outputs.Get(request.query_id, {input.stage, location.task}, location.attempt);
			if (!buffer) {
				lost->Set(id);
				throw IOException("The output of task %llu of stage %llu is not on worker %s", idx_t(location.task),
				                  idx_t(input.stage), id);
			}
			output.source = buffer->Open(partition, partition_count);
			auto first = buffer->PartitionBytes().begin() + partition;
			counts.local_bytes += std::accumulate(first, first + partition_count, uint64_t(0));
		}
		sources.push_back(std::move(output));
	}
	auto open = [peers = peers, query = request.query_id, stage = input.stage, partition, partition_count,
	             types](const OutputLocation &location) {
		FetchRequest fetch;
		fetch.query_id = query;
		fetch.stage_id = stage;
		fetch.task_id = location.task;
		fetch.attempt = location.attempt;
		fetch.partition = partition;
		fetch.partition_count = partition_count;
		fetch.worker_id = location.worker.id;
		return peers->Connect(location.worker)->Fetch(fetch, types);
	};
	auto readers = TaskScheduler::GetScheduler(*db->instance).NumberOfThreads();
	return std::make_shared<StageInputSource>(std::move(sources), types, std::move(open), std::move(lost),
	                                          std::move(measures), input.stage, NumericCast<idx_t>(readers));
}

std::shared_ptr<OutputBuffer> TaskRunner::Execute(RunningTask &task, const TaskRequest &request, const Inputs &inputs) {
	if (!request.fragment) {
		throw InternalException("A task without a fragment");
	}
	auto connection = connections.Take(request.settings);
	std::shared_ptr<OutputBuffer> output;
	{
		auto &context = *connection->context;
		TaskConnection connected(context, task, request.split, inputs.scans);
		TaskTransaction transaction(context, request.transaction_start_us);
		output = ExecuteOn(context, task, request, inputs);
		TaskFileVersions::CheckUnchanged(context);
		transaction.Commit();
	}
	// after a failure the connection is not used again: what state it is in is not worth finding out. Nor if the task
	// was cancelled when it had just finished: the interrupt would stay, for what the next task does before its query
	if (!task.Cancelled() && task.MemoryError().empty()) {
		connections.Return(std::move(connection), request.settings);
	}
	return output;
}

std::shared_ptr<OutputBuffer> TaskRunner::ExecuteOn(ClientContext &context, RunningTask &task,
                                                    const TaskRequest &request, const Inputs &inputs) {
	auto plan = DecodeFragment(context, *request.fragment);
	ApplySplit(context, *plan, request.split);
	FilterScan(*plan, request, inputs.pruned_rows);
	ConnectJoinFilters(context, *plan);
	ApplyKeyRanges(*plan, request.split);
	WriteInOrder(context, *plan, request.task_id);
	if (request.split.Kind() != SplitKind::NONE && !request.split.fed) {
		CountScan(*plan, request.split.table_index, *inputs.scans);
	}
	auto output = std::make_shared<OutputBuffer>(db->instance, OutputTypes(*plan, request.output),
	                                             request.output.partition_count);
	std::vector<KeySet> key_sets;
	for (auto &key : request.output.collected_keys) {
		if (key.column >= plan->types.size()) {
			throw InternalException("Keys of column %llu, the fragment has %llu", idx_t(key.column),
			                        idx_t(plan->types.size()));
		}
		key_sets.emplace_back(plan->types[key.column], key.log2_bits);
	}
	output->CollectKeys(std::move(key_sets));
	InstallExchangeSink(context, request.output, output, [&] {
		inputs.measures->prepared_us = inputs.measures->NowUs();
		if (task.Cancelled() || !task.MemoryError().empty()) {
			// Starting a query has reset the connection's interrupt.
			context.Interrupt();
		}
	});

	auto optimized = make_uniq<OptimizedPlan>(std::move(plan));
	RunToEnd(context, make_uniq<PlanStatement>(std::move(optimized)));
	return output;
}

} // namespace duckherder
