#pragma once

#include "engine/key_set.hpp"
#include "cluster/cluster.hpp"
#include "coordinator/dispatch_pool.hpp"
#include "coordinator/guarded_feed.hpp"
#include "history/query_recorder.hpp"
#include "coordinator/stage_executions.hpp"
#include "protocol/worker_service.hpp"
#include "scheduler/query_scheduler.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

namespace duckherder {

class GatherSource;

//! What a session gives its coordinators; everything outlives them.
struct CoordinatorServices {
	std::shared_ptr<Clock> clock;
	std::shared_ptr<Cluster> cluster;
	std::shared_ptr<WorkerConnector> connector;
	std::shared_ptr<DispatchPool> pool;
	std::shared_ptr<AffinityMap> affinity;
	std::shared_ptr<QueryRecorder> recorder;
	//! Brings the cluster's list up to date if others keep it; may wait for the network, does not throw. Does nothing
	//! if that was done within the last heartbeat interval, or, `at_once`, just now
	std::function<void(bool at_once)> refresh_workers;
};

//! The settings of a session that matter while a query runs
struct CoordinatorOptions {
	uint32_t task_retries = limits::TASK_RETRIES_DEFAULT;
	bool speculate = true;
	//! 0: none
	uint64_t query_timeout_ms = 0;
	bool trace = false;
	std::vector<std::pair<std::string, std::string>> result_settings;
};

//! Runs the stages of one execution of one query: splits and encodes them, lets the scheduler decide, sends tasks out,
//! hands finished outputs to the session, and cleans up on every path.
//!
//! Threads: Start, Quiesce and Finish are called by the session; Gather's sources are read by DuckDB's threads in the
//! session; attempts run on threads of the pool. One lock guards all state and is never held while calling a worker.
//! Lifetime: lives from Start to Finish within one query of `context`; touches the session until Quiesce at most.
class QueryCoordinator : public std::enable_shared_from_this<QueryCoordinator> {
public:
	QueryCoordinator(duckdb::ClientContext &context, DistributedPlan &plan, CoordinatorServices services,
	                 CoordinatorOptions options, QueryRecorder::Entry record);

	//! Before Start: the query waits until it may run
	void SetQueued(bool queued);
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
		return query_id;
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

private:
	friend class GatherReader;
	friend class GatherSource;

	//! A finished output of a gather stage, once the scheduler announced it
	struct ReadyOutput {
		Attempt attempt;
		WorkerAddress worker;
		//! Null if they have to be fetched from the worker
		std::shared_ptr<const std::vector<std::string>> rows;
	};

	//! The rows of a small output, which came with its task's result
	struct InlineOutput {
		Attempt attempt = 0;
		std::shared_ptr<const std::vector<std::string>> partitions;
		uint64_t bytes = 0;
	};

	//! What the tasks of a stage read, for as long as those outputs are where they are
	struct SharedInputs {
		std::vector<uint64_t> versions;
		uint32_t number = 0;
		std::shared_ptr<const StageInputs> inputs;
	};

	//! What the scan of a stage filters by, decoded and encoded
	struct StageFilter {
		uint32_t column = 0;
		std::shared_ptr<const KeySet> keys;
		std::shared_ptr<const std::string> encoded;
	};

	void RecordPlan();
	void RecordTasks(StageId stage);
	//! With the lock held, when the stages that collect the keys are done
	const std::vector<StageFilter> &FiltersOf(StageId stage);
	//! With the lock held: what the stage waited for says how many tasks it has
	void ResolveTaskCount(StageId stage);
	//! Nothing while the stage is not sized
	std::optional<TaskId> TaskCount(StageId stage);
	void HandleEvent(const SchedulerEvent &event);
	//! With the lock held
	void Apply(const SchedulerActions &actions);
	void StartTask(const action::StartTask &start);
	//! Its worker is told; does not wait
	void StopAttempt(const action::CancelAttempt &cancelled);
	TaskRequest MakeRequest(const action::StartTask &start);
	//! A worker that may be gone: whether it is there is found out while it gets no tasks
	struct Suspect {
		TimeMs since = 0;
		TimeMs next_look = 0;
		//! It is being asked
		bool looking = false;
	};

	void RunAttempt(TaskRequest request, WorkerAddress worker);
	TaskResult TryAttempt(const TaskRequest &request, const WorkerAddress &worker, std::vector<KeySet> &keys);
	TaskResult CallWorker(const TaskRequest &request, const WorkerAddress &worker,
	                      const std::shared_ptr<ChunkSource> &feed);
	//! With the lock held: what a failed attempt says of workers, before the scheduler is told of it
	void NoteFailure(const WorkerAddress &worker, const TaskError &error);
	//! Throws what opening it throws, which is then the query's error
	std::shared_ptr<GuardedFeed> OpenFeed(const TaskRequest &request, std::shared_ptr<std::atomic<uint64_t>> pruned);
	//! With the lock held: what the stages that read it have to know before they start
	void NoteOutput(const TaskRequest &request, TaskResult &result, const std::vector<KeySet> &keys);
	//! With the lock held: an output, if it came with the result
	const InlineOutput *FindInline(TaskKey task, Attempt attempt) const;
	//! With the lock held
	const SharedInputs &InputsOf(StageId stage);
	std::vector<KeySet> DecodeKeys(const TaskRequest &request, const TaskResult &result) const;
	void RecordStart(const TaskRequest &request, bool speculative);
	//! With the lock held: of an attempt that counts
	void RecordResult(const TaskRequest &request, const TaskResult &result);
	//! With the lock held: one of two attempts has failed, and the other one goes on
	void RecordRemaining(const TaskRequest &request);
	void StopWorkers();
	//! With the lock held: workers that have not confirmed within CANCEL_CALL_TIMEOUT_MS that they have stopped are
	//! hung up on, again and again: a call may begin after the others were cut
	void HangUp();
	void PrintTraceWhenAssigned(StageId stage);
	//! Throws the query's error, or InterruptException
	std::optional<ReadyOutput> OutputIfReady(StageId stage, TaskId task);
	//! Blocks until the output may be there, at most WAIT_SLICE_MS; never throws the query's error
	void AwaitOutput(StageId stage, TaskId task);
	//! Looks after timers, lost workers, timeouts and interrupts until the query ends, on a thread of the pool: those
	//! of DuckDB may be waiting for the network.
	void Watch();
	//! With the lock held by `guard`, which it may release
	void Tick(std::unique_lock<std::mutex> &guard);
	//! With the lock held: who came, went, or takes no more tasks
	void NoteMembers(const std::vector<WorkerInfo> &members);
	//! With the lock held
	void LoseWorker(const WorkerId &id, const std::string &reason);
	//! With the lock held: it gets no tasks until it has answered
	void SuspectWorker(const WorkerId &id);
	//! With the lock held: asks those that are suspected
	void LookAfterSuspects();
	//! Nothing: it could not be reached
	void NoteAnswer(const WorkerId &id, const std::optional<WorkerInfo> &answer);
	//! With the lock held: another process or database than before
	void ReplaceWorker(WorkerInfo &known, const WorkerInfo &now, const std::string &reason);
	//! With the lock held
	void JoinWorker(const WorkerId &id);
	//! With the lock held
	void NoteMember(const WorkerInfo &member);
	//! With the lock held; null if this query never heard of it
	WorkerInfo *FindWorker(const WorkerId &id);
	//! With the lock held
	void DrainWorker(const WorkerId &id);
	//! With the lock held: the workers that this query has used keep its outputs
	void RenewLeases();
	//! With the lock held
	void FailNow(const std::string &message);
	//! Cut off if the query is interrupted
	void AddOutput(const std::shared_ptr<ChunkSource> &output);
	void OutputConsumed(StageId stage, TaskId task);
	//! The session could not read this output, and has used nothing of it: another one will be ready, or the query
	//! fails
	void OutputLost(StageId stage, TaskId task, Attempt attempt, const TaskError &error);
	//! The query's error if it has one, instead of what follows from it
	void ThrowIfFailed();
	//! With the lock held
	void ThrowFailure() const;
	const WorkerAddress &AddressOf(const WorkerId &id) const;

	duckdb::ClientContext &context;
	DistributedPlan &plan;
	const CoordinatorServices services;
	const CoordinatorOptions options;
	const QueryRecorder::Entry record;
	const QueryId query_id;
	//! The text of the query
	std::string sql;
	uint64_t started_at_us = 0;
	int64_t transaction_start_us = 0;
	std::vector<WorkerInfo> workers;
	//! That a worker gets of this query at a time
	uint32_t tasks_per_worker = 1;
	//! Position of a stage's first task in the record, once it has tasks
	std::vector<size_t> record_offsets;

	std::mutex lock;
	std::condition_variable changed;
	std::unique_ptr<QueryScheduler> scheduler;
	StageExecutions runs;
	std::map<TaskKey, ReadyOutput> ready;
	std::map<TaskKey, InlineOutput> inline_outputs;
	uint64_t inline_bytes = 0;
	std::map<StageId, SharedInputs> stage_inputs;
	std::optional<TaskError> failure;
	//! Of a scan that the session itself runs: thrown instead of `failure`, as the session has got it
	std::optional<duckdb::ErrorData> feed_failure;
	std::optional<TimeMs> timer;
	TimeMs last_member_check = 0;
	std::set<WorkerId> used_workers;
	std::set<WorkerId> lost_workers;
	std::set<WorkerId> draining_workers;
	std::map<WorkerId, Suspect> suspects;
	//! Incarnations that others have taken the place of
	std::set<std::string> former_incarnations;
	TimeMs last_renewal = 0;
	//! By worker: a renewal is on its way
	std::map<WorkerId, std::shared_ptr<std::atomic<bool>>> renewing;
	std::shared_ptr<std::atomic<bool>> refreshing = std::make_shared<std::atomic<bool>>(false);
	std::map<TaskKey, std::shared_ptr<ChunkSource>> open_feeds;
	std::map<StageId, uint32_t> started_tasks;
	//! By stage, as its tasks find them: what is in its exchange's collected_keys
	std::map<StageId, std::vector<KeySet>> collected_keys;
	//! By stage, once its tasks may start: what its scan filters by
	std::map<StageId, std::vector<StageFilter>> stage_filters;
	uint32_t running_attempts = 0;
	//! By worker: it has confirmed that it has stopped
	std::map<WorkerId, std::shared_ptr<std::atomic<bool>>> confirmed;
	TimeMs stopped_at = 0;
	//! That the session reads, or has read
	std::vector<std::weak_ptr<ChunkSource>> outputs;
	//! Wakes Watch
	std::condition_variable ended;
	std::function<void()> on_workers_done;
	bool watching = false;
	bool stopped = false;
	//! Quiesce has begun
	bool finished = false;
	bool recorded = false;
	//! Sources that may still be read
	std::atomic<uint32_t> open_gathers {0};
};

} // namespace duckherder
