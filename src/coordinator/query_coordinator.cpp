#include "coordinator/query_coordinator.hpp"

#include "wire/errors.hpp"
#include "coordinator/gather_source.hpp"
#include "coordinator/trace.hpp"
#include "protocol/attempt_control.hpp"

#include "duckdb/main/client_context.hpp"
#include "duckdb/transaction/meta_transaction.hpp"

namespace duckherder {

using duckdb::idx_t;
using duckdb::InterruptException;

QueryCoordinator::QueryCoordinator(duckdb::ClientContext &context_p, DistributedPlan &plan_p,
                                   CoordinatorServices services_p, CoordinatorOptions options_p,
                                   QueryRecorder::Entry record_p)
    : context(context_p), plan(plan_p), services(std::move(services_p)), options(std::move(options_p)),
      record(std::move(record_p)), query_id(record->query_id), runs(context_p, plan_p) {
}

void QueryCoordinator::OnWorkersDone(std::function<void()> action) {
	std::lock_guard<std::mutex> guard(lock);
	on_workers_done = std::move(action);
}

void QueryCoordinator::SetQueued(bool queued) {
	services.recorder->Update(record, [&](QueryRecord &query) { query.state = queued ? "QUEUED" : "RUNNING"; });
}

void QueryCoordinator::Start() {
	started_at_us = services.clock->NowUs();
	sql = context.GetCurrentQuery();
	transaction_start_us = duckdb::MetaTransaction::Get(context).start_timestamp.value;
	workers = services.cluster->ActiveWorkers();
	runs.Prepare();
	RecordPlan();
	tasks_per_worker = runs.ReadsRemoteFiles() ? limits::REMOTE_TASKS_PER_WORKER : 1;
	auto stages = runs.ForScheduler();
	SchedulerConfig config;
	config.task_retries = options.task_retries;
	config.speculate = options.speculate;
	config.random_seed = std::hash<std::string>()(query_id);
	{
		std::lock_guard<std::mutex> guard(lock);
		scheduler = std::make_unique<QueryScheduler>(std::move(stages), config, *services.affinity);
	}
	for (auto &worker : workers) {
		HandleEvent(event::WorkerJoined {worker.address.id, tasks_per_worker});
	}
	HandleEvent(event::Start {});
	watching = true;
	services.pool->Submit([self = shared_from_this()]() mutable {
		self->Watch();
		self.reset();
	});
}

void QueryCoordinator::RecordPlan() {
	std::string strategy;
	duckdb::idx_t largest = 0;
	for (StageId stage = 0; stage < runs.Count(); stage++) {
		record_offsets.push_back(0);
		RecordTasks(stage);
		if (plan.stages[stage].scan) {
			auto &split = runs.Split(stage);
			auto rows = std::max(split.total_rows, plan.stages[stage].scan->Get().estimated_cardinality);
			if (strategy.empty() || rows > largest) {
				largest = rows;
				strategy = SplitKindName(split.kind);
			}
		}
	}
	services.recorder->Update(record, [&](QueryRecord &query) {
		query.partition_strategy = strategy;
		query.num_stages = static_cast<uint32_t>(runs.Count());
	});
}

void QueryCoordinator::RecordTasks(StageId stage) {
	services.recorder->Update(record, [&](QueryRecord &query) {
		record_offsets[stage] = query.tasks.size();
		for (auto &task : runs.Get(stage).tasks) {
			TaskHistory task_record;
			task_record.stage_id = stage;
			task_record.task = task;
			query.tasks.push_back(std::move(task_record));
		}
	});
}

void QueryCoordinator::ResolveTaskCount(StageId stage) {
	auto now = services.clock->NowMs();
	auto decision = runs.Size(stage);
	if (auto *merged = std::get_if<StageExecutions::Merged>(&decision)) {
		Apply(scheduler->Handle(event::StageMerged {stage, merged->into}, now));
		return;
	}
	RecordTasks(stage);
	auto sized = ToSchedulerStage(runs.Get(stage));
	Apply(scheduler->Handle(event::StageSized {stage, sized.task_count, std::move(sized.affinity_keys)}, now));
}

std::optional<TaskId> QueryCoordinator::TaskCount(StageId stage) {
	std::lock_guard<std::mutex> guard(lock);
	if (!scheduler->IsSized(stage)) {
		return std::nullopt;
	}
	return scheduler->TaskCount(stage);
}

void QueryCoordinator::HandleEvent(const SchedulerEvent &event) {
	std::lock_guard<std::mutex> guard(lock);
	Apply(scheduler->Handle(event, services.clock->NowMs()));
	changed.notify_all();
}

void QueryCoordinator::Apply(const SchedulerActions &actions) {
	for (auto &next : actions) {
		if (auto *start = std::get_if<action::StartTask>(&next)) {
			StartTask(*start);
		} else if (auto *size = std::get_if<action::ResolveTaskCount>(&next)) {
			ResolveTaskCount(size->stage);
		} else if (auto *output = std::get_if<action::TaskReady>(&next)) {
			auto found = FindInline(output->task, output->attempt);
			ready[output->task] =
			    ReadyOutput {output->attempt, AddressOf(output->worker), found ? found->partitions : nullptr};
		} else if (auto *failed = std::get_if<action::QueryFailed>(&next)) {
			failure = failed->error;
			StopWorkers();
		} else if (auto *set_timer = std::get_if<action::SetTimer>(&next)) {
			timer = set_timer->at_ms;
		} else if (auto *cancel = std::get_if<action::CancelAttempt>(&next)) {
			auto feed = open_feeds.find(cancel->task);
			if (feed != open_feeds.end()) {
				feed->second->Cancel();
			}
			// what a query that has ended still runs is stopped all at once
			if (!scheduler->Ended() || scheduler->Task(cancel->task).state == TaskState::DONE) {
				StopAttempt(*cancel);
			}
		}
	}
}

const WorkerAddress &QueryCoordinator::AddressOf(const WorkerId &id) const {
	for (auto &worker : workers) {
		if (worker.address.id == id) {
			return worker.address;
		}
	}
	throw duckdb::InternalException("The scheduler named the unknown worker %s", id);
}

TaskRequest QueryCoordinator::MakeRequest(const action::StartTask &start) {
	auto &stage = runs.Get(start.task.stage);
	TaskRequest request;
	request.query_id = query_id;
	request.stage_id = stage.id;
	request.task_id = start.task.task;
	request.attempt = start.attempt;
	request.worker_id = start.worker;
	request.fragment = stage.fragment;
	request.output = stage.output;
	request.split = stage.tasks[start.task.task].split;
	request.settings = options.result_settings;
	request.transaction_start_us = transaction_start_us;
	if (!request.split.fed) {
		for (auto &filter : FiltersOf(stage.id)) {
			request.scan_filters.push_back({filter.column, filter.encoded});
		}
	}
	auto &shared = InputsOf(stage.id);
	request.inputs = shared.inputs;
	request.stage_version = shared.number;
	return request;
}

const QueryCoordinator::SharedInputs &QueryCoordinator::InputsOf(StageId stage) {
	auto &shared = stage_inputs[stage];
	std::vector<uint64_t> versions;
	for (auto input : runs.Get(stage).inputs) {
		versions.push_back(scheduler->StageOutputsVersion(input));
	}
	if (shared.inputs && shared.versions == versions) {
		return shared;
	}
	shared.versions = std::move(versions);
	shared.number++;
	uint64_t bytes = 0;
	shared.inputs = std::make_shared<const StageInputs>(runs.InputsOf(stage, [&](StageId input) {
		std::vector<OutputLocation> locations;
		for (auto &output : scheduler->StageOutputs(input)) {
			OutputLocation location {output.task, output.attempt, AddressOf(output.worker), nullptr};
			auto found = FindInline({input, output.task}, output.attempt);
			if (found && bytes + found->bytes <= limits::INLINE_INPUT_BYTES_MAX) {
				bytes += found->bytes;
				location.rows = found->partitions;
			}
			locations.push_back(std::move(location));
		}
		return locations;
	}));
	return shared;
}

const QueryCoordinator::InlineOutput *QueryCoordinator::FindInline(TaskKey task, Attempt attempt) const {
	auto entry = inline_outputs.find(task);
	return entry != inline_outputs.end() && entry->second.attempt == attempt ? &entry->second : nullptr;
}

void QueryCoordinator::StartTask(const action::StartTask &start) {
	auto request = MakeRequest(start);
	auto worker = AddressOf(start.worker);
	used_workers.insert(start.worker);
	running_attempts++;
	RecordStart(request, start.speculative);
	if (start.attempt == 0) {
		started_tasks[start.task.stage]++;
		PrintTraceWhenAssigned(start.task.stage);
	}
	auto self = shared_from_this();
	services.pool->Submit([self, request = std::move(request), worker]() mutable {
		self->RunAttempt(std::move(request), std::move(worker));
		self.reset();
	});
}

void QueryCoordinator::StopAttempt(const action::CancelAttempt &cancelled) {
	TaskRequest request;
	request.query_id = query_id;
	request.stage_id = cancelled.task.stage;
	request.task_id = cancelled.task.task;
	request.attempt = cancelled.attempt;
	request.worker_id = cancelled.worker;
	services.pool->Submit([connector = services.connector, address = AddressOf(cancelled.worker), request] {
		try {
			if (auto control = std::dynamic_pointer_cast<AttemptControl>(connector->Connect(address))) {
				control->StopAttempt(request);
			}
		} catch (std::exception &) {
			// gone: then there is nothing to stop
		}
	});
}

const std::vector<QueryCoordinator::StageFilter> &QueryCoordinator::FiltersOf(StageId stage) {
	auto known = stage_filters.find(stage);
	if (known != stage_filters.end()) {
		return known->second;
	}
	auto &filters = stage_filters[stage];
	for (auto &planned : runs.ScanFilters(stage)) {
		auto keys = std::make_shared<KeySet>(collected_keys.at(planned.source).at(planned.key).Fitted());
		StageFilter filter;
		filter.column = planned.column;
		filter.encoded = std::make_shared<const std::string>(keys->Encode());
		keys->PrepareLookUps();
		filter.keys = std::move(keys);
		filters.push_back(std::move(filter));
	}
	return filters;
}

void QueryCoordinator::NoteOutput(const TaskRequest &request, TaskResult &result, const std::vector<KeySet> &keys) {
	uint64_t bytes = 0;
	for (auto &rows : result.inline_rows) {
		bytes += rows.size();
	}
	if (!result.inline_rows.empty() && inline_bytes + bytes <= limits::INLINE_QUERY_BYTES_MAX) {
		inline_bytes += bytes;
		inline_outputs[{request.stage_id, request.task_id}] = {
		    request.attempt, std::make_shared<const std::vector<std::string>>(std::move(result.inline_rows)), bytes};
	}
	runs.NoteOutput(request.stage_id, request.task_id, result.Rows(), result.partition_bytes);
	// a second attempt finds the same keys, so that adding them again adds nothing
	auto &all_keys = collected_keys[request.stage_id];
	for (idx_t i = 0; i < keys.size(); i++) {
		if (all_keys.size() == i) {
			all_keys.push_back(keys[i]);
		} else {
			all_keys[i].Merge(keys[i]);
		}
	}
}

void QueryCoordinator::RecordStart(const TaskRequest &request, bool speculative) {
	services.recorder->Update(record, [&](QueryRecord &query) {
		auto &task = query.tasks[record_offsets[request.stage_id] + request.task_id];
		task.state = "RUNNING";
		task.worker_id = request.worker_id;
		task.attempt = request.attempt;
		task.speculative = task.speculative || speculative;
		query.retries += request.attempt > 0 && !speculative ? 1 : 0;
	});
}

void QueryCoordinator::RecordResult(const TaskRequest &request, const TaskResult &result) {
	services.recorder->Update(record, [&](QueryRecord &query) {
		auto &task = query.tasks[record_offsets[request.stage_id] + request.task_id];
		task.worker_id = request.worker_id;
		task.attempt = request.attempt;
		if (result.failed) {
			task.state = result.error.kind == ErrorKind::CANCELLED ? "CANCELLED" : "FAILED";
			return;
		}
		task.state = "DONE";
		task.rows = request.split.fed || request.split.Kind() != SplitKind::NONE ? result.input_rows : result.Rows();
		task.input_rows = result.input_rows;
		task.output_rows = result.Rows();
		task.bytes = result.Bytes();
		task.pruned_rows = result.pruned_rows;
		task.spilled_bytes = result.spilled_bytes;
		task.duration_us = result.duration_us;
		query.bytes_exchanged += result.Bytes();
	});
}

void QueryCoordinator::RecordRemaining(const TaskRequest &request) {
	auto info = scheduler->Task({request.stage_id, request.task_id});
	if (info.state != TaskState::RUNNING || info.attempt == request.attempt) {
		return;
	}
	services.recorder->Update(record, [&](QueryRecord &query) {
		auto &task = query.tasks[record_offsets[request.stage_id] + request.task_id];
		task.state = "RUNNING";
		task.worker_id = info.worker;
		task.attempt = info.attempt;
	});
}

void QueryCoordinator::StopWorkers() {
	if (stopped) {
		return;
	}
	stopped = true;
	stopped_at = services.clock->NowMs();
	for (auto &feed : open_feeds) {
		feed.second->Cancel();
	}
	runs.CancelFeeds();
	for (auto &output : outputs) {
		if (auto source = output.lock()) {
			source->Cancel();
		}
	}
	for (auto &id : used_workers) {
		auto done = std::make_shared<std::atomic<bool>>(false);
		confirmed[id] = done;
		services.pool->Submit([connector = services.connector, address = AddressOf(id), query = query_id, done] {
			try {
				connector->Connect(address)->CancelQuery(query);
				*done = true;
			} catch (std::exception &) {
				// gone: then there is nothing to stop; a worker that comes back drops queries without a session
			}
		});
	}
}

void QueryCoordinator::HangUp() {
	if (!stopped || services.clock->NowMs() - stopped_at < limits::CANCEL_CALL_TIMEOUT_MS) {
		return;
	}
	for (auto &worker : confirmed) {
		if (!*worker.second) {
			services.connector->GiveUp(query_id, AddressOf(worker.first).location);
		}
	}
}

void QueryCoordinator::PrintTraceWhenAssigned(StageId stage) {
	auto &split = runs.Split(stage);
	if (!runs.HasScan(stage) || started_tasks[stage] != split.tasks.size()) {
		return;
	}
	std::vector<WorkerId> assigned;
	services.recorder->Update(record, [&](QueryRecord &query) {
		for (size_t i = 0; i < split.tasks.size(); i++) {
			assigned.push_back(query.tasks[record_offsets[stage] + i].worker_id);
		}
	});
	WriteTrace(context, options.trace, TraceBlock(split, sql, workers, assigned));
}

std::shared_ptr<GatherSource> QueryCoordinator::Gather(StageId stage) {
	// attempts of other stages may run already, and stages be merged
	std::lock_guard<std::mutex> guard(lock);
	return std::make_shared<GatherSource>(shared_from_this(), stage);
}

double QueryCoordinator::Progress() {
	std::lock_guard<std::mutex> guard(lock);
	return scheduler ? scheduler->Progress() : 0;
}

std::vector<TaskHistory> QueryCoordinator::TaskHistories() const {
	std::vector<TaskHistory> result;
	services.recorder->Update(record, [&](QueryRecord &query) { result = query.tasks; });
	return result;
}

std::vector<StageOutcome> QueryCoordinator::Outcomes() {
	std::lock_guard<std::mutex> guard(lock);
	std::vector<StageOutcome> result;
	for (StageId stage = 0; stage < runs.Count(); stage++) {
		result.push_back(runs.Outcome(stage));
	}
	return result;
}

void QueryCoordinator::AddOutput(const std::shared_ptr<ChunkSource> &output) {
	std::lock_guard<std::mutex> guard(lock);
	outputs.push_back(output);
	if (stopped) {
		output->Cancel();
	}
}

std::optional<QueryCoordinator::ReadyOutput> QueryCoordinator::OutputIfReady(StageId stage, TaskId task) {
	std::lock_guard<std::mutex> guard(lock);
	ThrowFailure();
	auto entry = ready.find(TaskKey {stage, task});
	if (entry != ready.end()) {
		return entry->second;
	}
	if (context.interrupted || finished) {
		throw InterruptException();
	}
	return std::nullopt;
}

void QueryCoordinator::AwaitOutput(StageId stage, TaskId task) {
	std::unique_lock<std::mutex> guard(lock);
	if (failure || finished || ready.count(TaskKey {stage, task}) > 0) {
		return;
	}
	changed.wait_for(guard, std::chrono::milliseconds(limits::WAIT_SLICE_MS));
}

void QueryCoordinator::ThrowFailure() const {
	if (failure && failure->worker_id.empty() && failure->kind == ErrorKind::USER && feed_failure) {
		feed_failure->Throw();
	}
	if (failure) {
		ThrowTaskError(*failure);
	}
}

void QueryCoordinator::ThrowIfFailed() {
	std::lock_guard<std::mutex> guard(lock);
	ThrowFailure();
}

void QueryCoordinator::OutputConsumed(StageId stage, TaskId task) {
	HandleEvent(event::TaskOutputConsumed {TaskKey {stage, task}});
}

void QueryCoordinator::OutputLost(StageId stage, TaskId task, Attempt attempt, const TaskError &error) {
	TaskKey key {stage, task};
	{
		std::lock_guard<std::mutex> guard(lock);
		auto entry = ready.find(key);
		if (entry == ready.end() || entry->second.attempt != attempt) {
			// its worker was found to be lost meanwhile, and there is a newer one
			return;
		}
		ready.erase(entry);
		SuspectWorker(error.worker_id);
	}
	HandleEvent(event::TaskOutputLost {key, attempt, error.worker_id, error});
}

void QueryCoordinator::Quiesce() {
	std::unique_lock<std::mutex> guard(lock);
	finished = true;
	if (scheduler && !scheduler->Ended()) {
		Apply(scheduler->Handle(event::QueryConsumed {}, services.clock->NowMs()));
	}
	// also frees the outputs; a worker that is slow to answer keeps nobody waiting unless it still runs our tasks
	StopWorkers();
	changed.notify_all();
	ended.notify_all();
	changed.wait(guard, [&] { return running_attempts == 0 && !watching; });
	// now, not when the last thread lets go of this: feeds point into the session's plan
	runs.CloseFeeds();
}

void QueryCoordinator::Finish(const std::string &state, const std::string &error) {
	Quiesce();
	if (recorded) {
		return;
	}
	recorded = true;
	services.recorder->Update(record, [&](QueryRecord &query) {
		std::set<WorkerId> used;
		for (auto &task : query.tasks) {
			if (!task.worker_id.empty()) {
				used.insert(task.worker_id);
			}
			if (task.state == "RUNNING" || task.state == "QUEUED") {
				task.state = "CANCELLED";
			}
		}
		query.num_workers_used = static_cast<uint32_t>(used.size());
		query.duration_us = services.clock->NowUs() - started_at_us;
		query.state = state;
		query.error = error;
	});
}

} // namespace duckherder
