#pragma once

#include "coordinator/coordinator_services.hpp"
#include "coordinator/gather_outputs.hpp"
#include "coordinator/query_journal.hpp"
#include "coordinator/runtime_filters.hpp"
#include "coordinator/stage_executions.hpp"
#include "coordinator/stage_inputs.hpp"
#include "coordinator/task_dispatcher.hpp"
#include "coordinator/worker_watch.hpp"
#include "scheduler/query_scheduler.hpp"

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

namespace duckherder {

class GatherSource;

//! Runs the stages of one execution of one query: tells the scheduler what has happened, has its parts do what the
//! scheduler decides, and cleans up on every path.
//!
//! Threads: Start, Quiesce and Finish are called by the session; Gather's sources are read by DuckDB's threads in the
//! session; attempts run on threads of the pool. One lock guards the scheduler and the parts that are not thread-safe
//! (stages, inputs, workers). It is held for decisions only: never while a worker is called, a fragment is encoded, or
//! keys are merged or encoded. Parts with locks of their own may be called with this one held, not the other way round.
//! Lifetime: lives from Start to Finish within one query of `context`; touches the session until Quiesce at most.
class QueryCoordinator : public std::enable_shared_from_this<QueryCoordinator> {
public:
	QueryCoordinator(duckdb::ClientContext &context, DistributedPlan &plan, CoordinatorServices services,
	                 CoordinatorOptions options, QueryRecorder::Entry record);

	//! Before Start: the query waits until it may run
	void SetQueued(bool queued, uint64_t waited_us);
	//! Before Start: what to do once workers have nothing more to do for the query, although its session may still hold
	//! an open result. Called once, by any thread; not at all if the query ends before that.
	void OnWorkersDone(std::function<void()> action);
	//! Throws what extracting or encoding throws; nothing runs then.
	void Start();
	//! The rows of a stage whose output is a GATHER, in task order.
	std::shared_ptr<GatherSource> Gather(StageId stage);
	//! Between 0 and 1
	double Progress();
	//! Of all stages, as they are now
	std::vector<TaskHistory> TaskHistories() const;
	const QueryId &Id() const {
		return journal.Id();
	}
	//! Any thread: the query fails with this message, as an interrupt. False if it has ended.
	bool Kill(const std::string &message);
	//! What has become of the stages of the plan, by their numbers
	std::vector<StageOutcome> Outcomes();
	//! Stops what still runs, frees its outputs, and waits until nothing is left that could touch the session: DuckDB
	//! ends the transaction, and what the session says of its query, before it tells anybody that the query has ended.
	//! Called when DuckDB lets go of the last gather, before that. Idempotent.
	void Quiesce();
	//! Quiesces, and records how the query has ended: QueryRecord::state, and the error if it has not succeeded.
	//! Idempotent.
	void Finish(const std::string &state, const std::string &error);

	//! For the sources that Gather returns, which keep this alive
	GatherOutputs &Outputs() {
		return outputs;
	}
	const duckdb::vector<duckdb::LogicalType> &TypesOf(StageId stage) const;
	//! Nothing while the stage is not sized
	std::optional<TaskId> TaskCount(StageId stage);
	//! Fetches the output from its worker; cut off if the query is interrupted
	std::shared_ptr<ChunkSource> OpenOutput(TaskKey task, const GatherOutputs::Output &output);
	//! The session waited so long for these bytes of a worker's output, and decoded them.
	void NoteTransfer(uint64_t bytes, uint64_t duration_us);
	uint64_t NowUs() const {
		return services.clock->NowUs();
	}
	void OutputConsumed(TaskKey task);
	//! The session could not read this output, and has used nothing of it: another one will be ready, or the query
	//! fails
	void OutputLost(TaskKey task, Attempt attempt, const TaskError &error);
	//! Quiesces if it was the last one. Does not throw.
	void GatherClosed();

private:
	void HandleEvent(const SchedulerEvent &event);
	//! With the lock held, as the others that are called Apply, Start or Note
	void ApplyEvent(const SchedulerEvent &event);
	void Apply(const SchedulerAction &next);
	void StartTask(const action::StartTask &start);
	AttemptCall MakeCall(const action::StartTask &start);
	//! Runs `work` on a thread of the pool; Quiesce waits for it. `work` must not throw.
	void StartWork(std::function<void(QueryCoordinator &)> work);

	//! Without the lock: runs an attempt, and what follows from its result
	void RunAttempt(AttemptCall &call);
	void NoteResult(AttemptCall &call, TaskResult &result);
	//! Without the lock: what the stage waited for says how many tasks it has
	void ResolveTaskCount(StageId stage);
	//! Without the lock: of a worker that was suspected
	void NoteAnswer(const WorkerId &id, const std::optional<WorkerInfo> &answer);

	//! Looks after timers, lost workers, timeouts and interrupts until the query ends, on a thread of the pool: those
	//! of DuckDB may be waiting for the network.
	void Watch();
	//! With the lock held by `guard`, which it may release
	void Tick(std::unique_lock<std::mutex> &guard);
	//! With the lock held
	void FailNow(const TaskError &error);
	void StopWorkers();

	duckdb::ClientContext &context;
	DistributedPlan &plan;
	const CoordinatorServices services;
	const CoordinatorOptions options;
	QueryJournal journal;
	ReportedKeys keys;
	GatherOutputs outputs;
	TaskDispatcher dispatcher;
	uint64_t started_at_us = 0;
	int64_t transaction_start_us = 0;

	std::mutex lock;
	//! Some work has ended, or the query
	std::condition_variable changed;
	std::unique_ptr<QueryScheduler> scheduler;
	StageExecutions stages;
	StageInputLocations inputs;
	//! Null before Start
	std::unique_ptr<WorkerWatch> workers;
	std::optional<TimeMs> timer;
	std::function<void()> on_workers_done;
	//! On threads of the pool: attempts, stages that get their tasks, Watch
	uint32_t running_work = 0;
	//! Quiesce has begun
	bool finished = false;
};

} // namespace duckherder
