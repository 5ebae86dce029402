#pragma once

#include "common/clock.hpp"
#include "common/ids.hpp"
#include "common/limits.hpp"
#include "common/task_error.hpp"
#include "plan/stage_graph.hpp"

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

//! What goes into and comes out of a QueryScheduler: plain data.
namespace duckherder {

//! A stage as the scheduler sees it. Every task of a stage reads the outputs of all tasks of its input stages.
struct SchedulerStage {
	//! The id is the stage's position in the list given to the scheduler.
	StageId id = 0;
	//! Inputs have smaller ids than the stage.
	std::vector<StageId> inputs;
	//! All tasks of these stages must have succeeded once before a task of this one starts, although it does not read
	//! them: what they found out makes this one cheaper. Any ids without a cycle are allowed. Losing their outputs
	//! later changes nothing here.
	std::vector<StageId> after;
	uint32_t task_count = 0;
	//! StageSized says how many tasks there are. The scheduler asks for it once the stage could start. Until then
	//! task_count is a guess.
	bool deferred_task_count = false;
	//! The list is empty or has one key per task. An empty key means that the task prefers no worker.
	std::vector<std::string> affinity_keys;
	ExchangeKind output_kind = ExchangeKind::RESULT;
	//! A second run of a task makes the same rows in the same partitions. Where that does not hold (LIMIT without an
	//! order, volatile functions) and something was already made of the first version (a consumer is done, or the
	//! session may have read), losing an output fails the query: two versions together would not be exact.
	bool repeatable = true;
	//! A slow task may run at two workers at once, and one result counts. That is not allowed if the task reads what
	//! two cannot read, or writes files. Stages that are not repeatable have no speculative attempts in any case.
	bool may_speculate = true;
};

SchedulerStage ToSchedulerStage(const Stage &stage);

struct SchedulerConfig {
	//! A task gets this many attempts after its first, for whatever reason (failure, lost worker, lost output).
	uint32_t task_retries = limits::TASK_RETRIES_DEFAULT;
	//! Failures by which a worker refuses a task, or loses what it reads, cost no attempts for this long after the
	//! task's first one.
	uint64_t retry_patience_ms = limits::RETRY_PATIENCE_MS;
	//! With this many broken workers the query fails by the error that broke the last one.
	uint32_t broken_workers_max = limits::BROKEN_WORKERS_MAX;
	//! A task that failed waits base * 2^(failures - 1), at most max. A random part of up to half of that is jitter.
	uint64_t backoff_base_ms = limits::RETRY_BACKOFF_MS;
	uint64_t backoff_max_ms = limits::RETRY_BACKOFF_MAX_MS;
	//! The query fails when tasks have waited this long for any worker that takes tasks.
	uint64_t no_worker_timeout_ms = 10000;
	uint64_t random_seed = 0;
	//! Slow tasks get a second, speculative attempt: see STRAGGLER_FACTOR.
	bool speculate = false;
	uint64_t straggler_factor = limits::STRAGGLER_FACTOR;
	uint64_t straggler_min_ms = limits::STRAGGLER_MIN_MS;
};

//! Events say what happened. They may come late, twice or in another order than they happened.
namespace event {

//! Nothing is started before this event.
struct Start {};
//! The worker takes up to `slots` tasks of this query at a time. A known worker is active (again), with that many
//! slots. A worker that restarted must be reported lost first.
struct WorkerJoined {
	WorkerId worker;
	uint32_t slots = 1;
};
//! The worker's running attempts have failed, and its outputs are gone. `reason` is for people and may be empty.
struct WorkerLost {
	WorkerId worker;
	std::string reason;
};
//! The worker takes no new tasks. What it runs goes on, and its outputs stay readable until WorkerLost. The event also
//! comes for a worker that could not be reached, until it is known to be there (WorkerJoined) or gone.
struct WorkerDraining {
	WorkerId worker;
};
struct TaskSucceeded {
	TaskKey task;
	Attempt attempt = 0;
	WorkerId worker;
};
//! The attempt has ended, or whoever reports this has given it up; a later result of it is ignored. If the worker did
//! not take the task, or is broken, an event of its own says what became of the worker, before or after.
struct TaskFailed {
	TaskKey task;
	Attempt attempt = 0;
	WorkerId worker;
	TaskError error;
};
//! The answer to ResolveTaskCount. A second one for the same stage is ignored.
struct StageSized {
	StageId stage = 0;
	//! The number is at least 1.
	uint32_t task_count = 1;
	//! The list is as in SchedulerStage.
	std::vector<std::string> affinity_keys;
};
//! The other answer to ResolveTaskCount: the stage gets no tasks, and its only reader `into` does its work as well. The
//! reader is not sized yet, reads what this one would have read, and its rows are no more repeatable than this one's.
struct StageMerged {
	StageId stage = 0;
	StageId into = 0;
};
//! The session has read all of the output of this task, whose stage gives its rows to the session. Nobody needs the
//! output any more.
struct TaskOutputConsumed {
	TaskKey task;
};
//! The session could not read the output of this attempt, whose stage gives its rows to the session, and has used
//! nothing of it. The event is ignored if that is not the output that counts any more.
struct TaskOutputLost {
	TaskKey task;
	Attempt attempt = 0;
	WorkerId worker;
	TaskError error;
};
//! The session needs nothing more of the query, e.g. because a LIMIT is satisfied. What still runs is cancelled.
struct QueryConsumed {};
struct Cancel {};
//! The time of the newest SetTimer has come. An early or superfluous event does no harm.
struct TimerFired {};

} // namespace event

using SchedulerEvent =
    std::variant<event::Start, event::WorkerJoined, event::WorkerLost, event::WorkerDraining, event::TaskSucceeded,
                 event::TaskFailed, event::StageSized, event::StageMerged, event::TaskOutputConsumed,
                 event::TaskOutputLost, event::QueryConsumed, event::Cancel, event::TimerFired>;

//! Actions say what has to be done, in this order.
namespace action {

//! The task's inputs are QueryScheduler::StageOutputs of the stage's inputs, as they are when Handle returns.
struct StartTask {
	TaskKey task;
	Attempt attempt = 0;
	WorkerId worker;
	//! The task runs elsewhere as well, and slowly.
	bool speculative = false;
};
//! Nobody needs the attempt any more; whatever it reports is ignored.
struct CancelAttempt {
	TaskKey task;
	Attempt attempt = 0;
	WorkerId worker;
};
//! All that a stage with a deferred task count waits for is there. StageSized or StageMerged has to follow.
struct ResolveTaskCount {
	StageId stage = 0;
};
//! The session may read this output of a stage that gives its rows to the session. A second action for the same task
//! replaces an output that was lost before the session had reported it as consumed.
struct TaskReady {
	TaskKey task;
	Attempt attempt = 0;
	WorkerId worker;
};
//! Every task has succeeded and the session has consumed every output that was for it, or it wants no more. This is the
//! last action.
struct QueryFinished {};
//! The query has failed. This is the last action.
struct QueryFailed {
	TaskError error;
};
//! TimerFired has to be sent at that time. The timer replaces the one set before.
struct SetTimer {
	TimeMs at_ms = 0;
};

} // namespace action

using SchedulerAction = std::variant<action::StartTask, action::CancelAttempt, action::ResolveTaskCount,
                                     action::TaskReady, action::QueryFinished, action::QueryFailed, action::SetTimer>;
using SchedulerActions = std::vector<SchedulerAction>;

enum class TaskState : uint8_t {
	QUEUED = 0,   //! has to run (again): waits for inputs, a slot, or the end of its back-off
	RUNNING = 1,  //! one attempt was started, or two
	DONE = 2,     //! one attempt has succeeded; the only state that counts as progress
	FAILED = 3,   //! why the query failed
	CANCELLED = 4 //! not done when the query ended
};

const char *TaskStateName(TaskState state);

struct TaskInfo {
	TaskKey task;
	TaskState state = TaskState::QUEUED;
	//! This many attempts were started, speculative ones included.
	uint32_t attempts = 0;
	//! This is the attempt whose output counts, or the one that runs and is not speculative, and its worker. The worker
	//! is empty before the first attempt.
	Attempt attempt = 0;
	WorkerId worker;
	//! A second attempt was started because the first was slow.
	bool speculated = false;
	//! The task's output is readable at the worker.
	bool output_available = false;
};

//! The output of a task that has succeeded.
struct TaskOutput {
	TaskId task = 0;
	Attempt attempt = 0;
	WorkerId worker;
};

struct SchedulerStats {
	uint32_t total_tasks = 0;
	uint32_t done_tasks = 0;
	uint32_t running_tasks = 0;
	uint64_t attempts_started = 0;
	//! This counts attempts beyond the first of their task, without speculative ones.
	uint64_t retries = 0;
	//! These count second attempts of slow tasks, and those of them that were faster.
	uint64_t speculative_attempts = 0;
	uint64_t speculative_won = 0;
	//! This counts outputs of succeeded tasks that were lost.
	uint64_t outputs_lost = 0;
	//! These count results that were ignored: of an old or unknown attempt, a second success, after the end of the
	//! query.
	uint64_t stale_results = 0;
	uint64_t duplicate_results = 0;
	uint64_t late_results = 0;
};

} // namespace duckherder
