#include "coordinator/query_coordinator.hpp"

#include "coordinator/gather_source.hpp"
#include "coordinator/trace.hpp"
#include "wire/errors.hpp"

#include "duckdb/main/client_context.hpp"
#include "duckdb/transaction/meta_transaction.hpp"

namespace duckherder {

static TaskError InterruptError(const std::string &message) {
	TaskError error;
	error.exception_type = duckdb::Exception::ExceptionTypeToString(duckdb::ExceptionType::INTERRUPT);
	error.message = message;
	return error;
}

QueryCoordinator::QueryCoordinator(duckdb::ClientContext &context_p, DistributedPlan &plan_p,
                                   CoordinatorServices services_p, CoordinatorOptions options_p,
                                   QueryRecorder::Entry record_p)
    : context(context_p), plan(plan_p), services(std::move(services_p)), options(std::move(options_p)),
      journal(services.recorder, std::move(record_p)), outputs([this] { return context.IsInterrupted(); }),
      dispatcher(journal.Id(), services, keys, outputs), stages(context_p, plan_p) {
}

void QueryCoordinator::OnWorkersDone(std::function<void()> action) {
	std::lock_guard<std::mutex> guard(lock);
	on_workers_done = std::move(action);
}

void QueryCoordinator::SetQueued(bool queued, uint64_t waited_us) {
	journal.SetQueued(queued, waited_us);
}

void QueryCoordinator::Start() {
	started_at_us = services.clock->NowUs();
	transaction_start_us = duckdb::MetaTransaction::Get(context).start_timestamp.value;
	auto watch = std::make_unique<WorkerWatch>(
	    Id(), services, [this](const SchedulerEvent &event) { ApplyEvent(event); },
	    [weak = weak_from_this()](const WorkerId &id, const std::optional<WorkerInfo> &answer) {
		    if (auto self = weak.lock()) {
			    self->NoteAnswer(id, answer);
		    }
	    });
	watch->Begin();
	stages.Prepare();
	journal.Begin(plan, stages);
	SchedulerConfig config;
	config.task_retries = options.task_retries;
	config.speculate = options.speculate;
	config.random_seed = std::hash<std::string>()(Id());
	std::lock_guard<std::mutex> guard(lock);
	scheduler = std::make_unique<QueryScheduler>(stages.ForScheduler(), config, *services.affinity);
	workers = std::move(watch);
	workers->Join(stages.ReadsRemoteFiles() ? limits::REMOTE_TASKS_PER_WORKER : 1);
	ApplyEvent(event::Start {});
	StartWork([](QueryCoordinator &self) { self.Watch(); });
}

void QueryCoordinator::HandleEvent(const SchedulerEvent &event) {
	std::lock_guard<std::mutex> guard(lock);
	ApplyEvent(event);
	outputs.Wake();
}

void QueryCoordinator::ApplyEvent(const SchedulerEvent &event) {
	for (auto &next : scheduler->Handle(event, services.clock->NowMs())) {
		Apply(next);
	}
}

void QueryCoordinator::Apply(const SchedulerAction &next) {
	if (auto *start = std::get_if<action::StartTask>(&next)) {
		StartTask(*start);
	} else if (auto *resolve = std::get_if<action::ResolveTaskCount>(&next)) {
		StartWork([stage = resolve->stage](QueryCoordinator &self) { self.ResolveTaskCount(stage); });
	} else if (auto *output = std::get_if<action::TaskReady>(&next)) {
		outputs.SetReady(output->task, {output->attempt, workers->AddressOf(output->worker),
		                                inputs.FindRows(output->task, output->attempt)});
	} else if (auto *failed = std::get_if<action::QueryFailed>(&next)) {
		outputs.Fail(failed->error);
		StopWorkers();
	} else if (auto *set_timer = std::get_if<action::SetTimer>(&next)) {
		timer = set_timer->at_ms;
	} else if (auto *cancel = std::get_if<action::CancelAttempt>(&next)) {
		dispatcher.CancelFeed(cancel->task);
		// what a query that has ended still runs is stopped all at once
		if (!scheduler->Ended() || scheduler->Task(cancel->task).state == TaskState::DONE) {
			dispatcher.Stop(*cancel, workers->AddressOf(cancel->worker));
		}
	}
}

void QueryCoordinator::StartWork(std::function<void(QueryCoordinator &)> work) {
	running_work++;
	services.pool->Submit([self = shared_from_this(), work = std::move(work)]() mutable {
		work(*self);
		{
			std::lock_guard<std::mutex> guard(self->lock);
			self->running_work--;
			self->changed.notify_all();
		}
		self.reset();
	});
}

AttemptCall QueryCoordinator::MakeCall(const action::StartTask &start) {
	auto &stage = stages.Get(start.task.stage);
	AttemptCall call;
	call.worker = workers->AddressOf(start.worker);
	call.filters = stages.ScanFilters(stage.id);
	call.types = stages.FragmentTypes(stage.id);
	auto &request = call.request;
	request.query_id = Id();
	request.stage_id = stage.id;
	request.task_id = start.task.task;
	request.attempt = start.attempt;
	request.worker_id = start.worker;
	request.worker_incarnation = workers->IncarnationOf(start.worker);
	request.fragment = stage.fragment;
	request.output = stage.output;
	request.split = stage.tasks[start.task.task].split;
	request.settings = options.result_settings;
	request.transaction_start_us = transaction_start_us;
	if (request.split.fed) {
		call.feed = stages.Feed(stage.id);
	}
	auto &shared = inputs.Of(stage.id, stages, *scheduler,
	                         [this](const WorkerId &id) -> const WorkerAddress & { return workers->AddressOf(id); });
	request.inputs = shared.inputs;
	request.stage_version = shared.number;
	return call;
}

void QueryCoordinator::StartTask(const action::StartTask &start) {
	auto stage = start.task.stage;
	auto call = std::make_shared<AttemptCall>(MakeCall(start));
	workers->Use(start.worker);
	auto started = journal.NoteStart(call->request, start.speculative);
	auto &split = stages.Split(stage);
	if (start.attempt == 0 && stages.HasScan(stage) && started == split.tasks.size()) {
		auto assigned = journal.Assigned(stage, started);
		WriteTrace(context, options.trace, TraceBlock(split, journal.Sql(), workers->Workers(), assigned));
	}
	StartWork([call](QueryCoordinator &self) { self.RunAttempt(*call); });
}

void QueryCoordinator::RunAttempt(AttemptCall &call) {
	auto result = dispatcher.Run(call);
	std::lock_guard<std::mutex> guard(lock);
	NoteResult(call, result);
	dispatcher.Forget({call.request.stage_id, call.request.task_id});
	outputs.Wake();
}

void QueryCoordinator::NoteResult(AttemptCall &call, TaskResult &result) {
	auto &request = call.request;
	auto &worker = call.worker.id;
	TaskKey key {request.stage_id, request.task_id};
	auto counts = scheduler->IsRunning(key, request.attempt, worker);
	if (result.failed && counts) {
		workers->NoteFailure(worker, result.error);
		if (result.error.kind != ErrorKind::CANCELLED && stages.FeedWasRead(request.stage_id, request.task_id)) {
			// its rows were read once and are gone: another attempt could only say that, and hide what happened
			result.error.kind = ErrorKind::USER;
		}
	}
	if (counts) {
		journal.NoteResult(request, result, services.clock->NowUs() - started_at_us);
	}
	if (!result.failed) {
		if (counts) {
			inputs.KeepRows(key, request.attempt, std::move(result.inline_rows));
			stages.NoteOutput(request.stage_id, request.task_id, result.Rows(), result.partition_bytes);
		}
		ApplyEvent(event::TaskSucceeded {key, request.attempt, worker});
		return;
	}
	ApplyEvent(event::TaskFailed {key, request.attempt, worker, result.error});
	if (counts && result.error.kind == ErrorKind::BROKEN) {
		workers->Lose(worker, "its database is invalid: " + result.error.message);
		workers->Suspect(worker);
	}
	auto remaining = scheduler->Task(key);
	if (remaining.state == TaskState::RUNNING && remaining.attempt != request.attempt) {
		journal.NoteRemaining(remaining);
	}
}

void QueryCoordinator::ResolveTaskCount(StageId stage) {
	try {
		std::variant<StageExecutions::Sized, StageExecutions::Merged> decision;
		auto bounds_from = plan.stages[stage].bounds_from;
		std::vector<std::string> bounds;
		if (bounds_from) {
			bounds = keys.samples.Bounds(*bounds_from, plan.stages[stage].output.partition_count);
		}
		{
			std::lock_guard<std::mutex> guard(lock);
			if (scheduler->Ended()) {
				return;
			}
			if (bounds_from) {
				stages.SetBounds(stage, std::move(bounds));
			}
			decision = stages.Resolve(stage);
		}
		if (auto *merged = std::get_if<StageExecutions::Merged>(&decision)) {
			HandleEvent(event::StageMerged {stage, merged->into});
			return;
		}
		auto fragment = stages.Encode(stage);
		std::lock_guard<std::mutex> guard(lock);
		stages.SetFragment(stage, std::move(fragment));
		if (!scheduler->Ended()) {
			journal.AddTasks(stage, stages.Get(stage).tasks);
			auto sized = ToSchedulerStage(stages.Get(stage));
			ApplyEvent(event::StageSized {stage, sized.task_count, std::move(sized.affinity_keys)});
		}
		outputs.Wake();
	} catch (std::exception &error) {
		std::lock_guard<std::mutex> guard(lock);
		FailNow(ToTaskError(error, ""));
	}
}

void QueryCoordinator::NoteAnswer(const WorkerId &id, const std::optional<WorkerInfo> &answer) {
	auto members = services.cluster->ListWorkers();
	if (answer) {
		services.cluster->NoteAnswer(*answer);
	}
	std::lock_guard<std::mutex> guard(lock);
	if (!dispatcher.Stopped()) {
		workers->NoteMembers(members);
		workers->NoteAnswer(id, answer);
		outputs.Wake();
	}
}

void QueryCoordinator::FailNow(const TaskError &error) {
	outputs.Fail(error);
	ApplyEvent(event::Cancel {});
	StopWorkers();
}

void QueryCoordinator::StopWorkers() {
	if (dispatcher.Stopped()) {
		return;
	}
	stages.CancelFeeds();
	outputs.CancelSources();
	std::vector<WorkerAddress> used;
	if (workers) {
		workers->Stop();
		used = workers->Used();
	}
	dispatcher.StopAll(used);
}

bool QueryCoordinator::Kill(const std::string &message) {
	std::lock_guard<std::mutex> guard(lock);
	if (finished || outputs.Failed()) {
		return false;
	}
	// before it may run it waits for that; and if the session has all rows, it does not ask us any more
	auto only_session = !scheduler || scheduler->Ended();
	if (scheduler) {
		FailNow(InterruptError(message));
	}
	if (only_session) {
		context.Interrupt();
	}
	return true;
}

void QueryCoordinator::Watch() {
	std::unique_lock<std::mutex> guard(lock);
	// this is the only work that is left
	auto done = [&] { return finished && running_work == 1; };
	while (!changed.wait_for(guard, std::chrono::milliseconds(limits::WATCH_INTERVAL_MS), done)) {
		if (!finished) {
			Tick(guard);
		}
		// remembered as the query's failure: DuckDB may take the interrupt back, and nothing is to start any more
		if (context.IsInterrupted() && !dispatcher.Stopped()) {
			FailNow(InterruptError(duckdb::InterruptException::INTERRUPT_MESSAGE));
		}
		dispatcher.HangUp();
	}
}

void QueryCoordinator::Tick(std::unique_lock<std::mutex> &guard) {
	auto now = services.clock->NowMs();
	if (timer && now >= *timer) {
		timer.reset();
		ApplyEvent(event::TimerFired {});
	}
	if (options.query_timeout_ms > 0 && now - started_at_us / 1000 > options.query_timeout_ms && !outputs.Failed()) {
		FailNow(InterruptError("The query ran longer than duckherder_query_timeout (" +
		                       std::to_string(options.query_timeout_ms) + " ms)"));
	}
	if (scheduler->Ended() && on_workers_done) {
		auto action = std::move(on_workers_done);
		on_workers_done = nullptr;
		guard.unlock();
		action();
		guard.lock();
	}
	workers->Tick();
	if (!workers->WantsMembers()) {
		return;
	}
	guard.unlock();
	auto members = services.cluster->ListWorkers();
	guard.lock();
	if (!dispatcher.Stopped()) {
		workers->NoteMembers(members);
	}
}

std::shared_ptr<GatherSource> QueryCoordinator::Gather(StageId stage) {
	// attempts of other stages may run already, and stages be merged
	std::lock_guard<std::mutex> guard(lock);
	outputs.OpenGather();
	return std::make_shared<GatherSource>(shared_from_this(), stage, stages.MostTasks(stage));
}

void QueryCoordinator::GatherClosed() {
	if (!outputs.CloseGather()) {
		return;
	}
	try {
		Quiesce();
	} catch (std::exception &) {
		// Finish tries again, and says why
	}
}

const duckdb::vector<duckdb::LogicalType> &QueryCoordinator::TypesOf(StageId stage) const {
	return plan.stages[stage].types;
}

std::optional<TaskId> QueryCoordinator::TaskCount(StageId stage) {
	std::lock_guard<std::mutex> guard(lock);
	if (!scheduler->IsSized(stage)) {
		return std::nullopt;
	}
	return scheduler->TaskCount(stage);
}

std::shared_ptr<ChunkSource> QueryCoordinator::OpenOutput(TaskKey task, const GatherOutputs::Output &output) {
	FetchRequest request;
	request.query_id = Id();
	request.stage_id = task.stage;
	request.task_id = task.task;
	request.attempt = output.attempt;
	request.worker_id = output.worker.id;
	auto source = services.connector->Connect(output.worker)->Fetch(request, TypesOf(task.stage));
	outputs.AddSource(source);
	return source;
}

void QueryCoordinator::NoteTransfer(uint64_t bytes, uint64_t duration_us) {
	if (services.costs) {
		services.costs->NoteTransfer(bytes, duration_us);
	}
}

void QueryCoordinator::OutputConsumed(TaskKey task) {
	HandleEvent(event::TaskOutputConsumed {task});
}

void QueryCoordinator::OutputLost(TaskKey task, Attempt attempt, const TaskError &error) {
	if (!outputs.Remove(task, attempt)) {
		// its worker was found to be lost meanwhile, and there is a newer one
		return;
	}
	std::lock_guard<std::mutex> guard(lock);
	workers->Suspect(error.worker_id);
	ApplyEvent(event::TaskOutputLost {task, attempt, error.worker_id, error});
	outputs.Wake();
}

double QueryCoordinator::Progress() {
	std::lock_guard<std::mutex> guard(lock);
	return scheduler ? scheduler->Progress() : 0;
}

std::vector<TaskHistory> QueryCoordinator::TaskHistories() const {
	return journal.Tasks();
}

std::vector<StageOutcome> QueryCoordinator::Outcomes() {
	std::lock_guard<std::mutex> guard(lock);
	std::vector<StageOutcome> result;
	for (StageId stage = 0; stage < stages.Count(); stage++) {
		result.push_back(stages.Outcome(stage));
	}
	return result;
}

void QueryCoordinator::Quiesce() {
	std::unique_lock<std::mutex> guard(lock);
	finished = true;
	if (scheduler && !scheduler->Ended()) {
		ApplyEvent(event::QueryConsumed {});
	}
	// also frees the outputs; a worker that is slow to answer keeps nobody waiting unless it still runs our tasks
	StopWorkers();
	outputs.Close();
	changed.notify_all();
	changed.wait(guard, [&] { return running_work == 0; });
	// now, not when the last thread lets go of this: feeds point into the session's plan
	stages.CloseFeeds();
}

void QueryCoordinator::Finish(const std::string &state, const std::string &error) {
	Quiesce();
	journal.NoteDecisions(Outcomes());
	if (services.costs && state == "SUCCEEDED") {
		journal.NoteCosts(*services.costs, plan.stages.size());
	}
	journal.Finish(state, error, services.clock->NowUs() - started_at_us);
}

} // namespace duckherder
