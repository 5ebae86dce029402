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
	//! Position in the list given to the scheduler
	StageId id = 0;
	//! Smaller ids only
	std::vector<StageId> inputs;
	//! Stages all of whose tasks must have succeeded once before a task of this one starts, although it does not read
	//! them: what they found out makes this one cheaper. Any ids without a cycle; losing their outputs later changes
	//! nothing here.
	std::vector<StageId> after;
	uint32_t task_count = 0;
	//! How many tasks there are is said by StageSized, asked for once it could start; task_count is a guess.
	bool deferred_task_count = false;
	//! Empty, or one per task; an empty key means that the task prefers no worker
	std::vector<std::string> affinity_keys;
	ExchangeKind output_kind = ExchangeKind::RESULT;
	//! A second run of a task makes the same rows in the same partitions. Where that does not hold (LIMIT without an
	//! order, volatile functions) and something was already made of the first version (a consumer is done, or the
	//! session may have read), losing an output fails the query: two versions together would not be exact.
	bool repeatable = true;
	//! A slow task may run at two workers at once, and one result counts. Not if it reads what cannot be read by two.
	//! Stages that are not repeatable have no speculative attempts in any case.
	bool may_speculate = true;
};

SchedulerStage ToSchedulerStage(const Stage &stage);

struct SchedulerConfig {
	//! Further attempts of a task after its first, for whatever reason (failure, lost worker, lost output)
	uint32_t task_retries = limits::TASK_RETRIES_DEFAULT;
	//! Failures by which a worker refuses a task, or loses what it reads, are no attempts for so long after the task's
	//! first one
	uint64_t retry_patience_ms = limits::RETRY_PATIENCE_MS;
	//! With so many broken workers the query fails by the error that broke the last one
	uint32_t broken_workers_max = limits::BROKEN_WORKERS_MAX;
	//! A task that failed waits base * 2^(failures - 1), at most max, of which a random half is jitter
	uint64_t backoff_base_ms = limits::RETRY_BACKOFF_MS;
	uint64_t backoff_max_ms = limits::RETRY_BACKOFF_MAX_MS;
	//! How long tasks wait for any worker that takes tasks before the query fails
	uint64_t no_worker_timeout_ms = 10000;
	uint64_t random_seed = 0;
	//! Slow tasks get a second, speculative attempt: see STRAGGLER_FACTOR
	bool speculate = false;
	uint64_t straggler_factor = limits::STRAGGLER_FACTOR;
	uint64_t straggler_min_ms = limits::STRAGGLER_MIN_MS;
};

//! What happened. Events may come late, twice or in another order than they happened.
namespace event {

//! Nothing is started before.
struct Start {};
//! The worker takes up to `slots` tasks of this query at a time. For a known worker: it is active (again), with that
//! many slots. A worker that restarted must be reported lost first.
struct WorkerJoined {
	WorkerId worker;
	uint32_t slots = 1;
};
//! Its running attempts have failed and its outputs are gone. `reason` is for people, may be empty.
struct WorkerLost {
	WorkerId worker;
	std::string reason;
};
//! Takes no new tasks; what it runs goes on, and its outputs stay readable until WorkerLost. Also said of a worker that
//! could not be reached, until it is known to be there (WorkerJoined) or gone.
struct WorkerDraining {
	WorkerId worker;
};
struct TaskSucceeded {
	TaskKey task;
	Attempt attempt = 0;
	WorkerId worker;
};
//! The attempt has ended, or whoever reports this has given it up; a later result of it is ignored. If the worker did
//! not take it, or is broken, what became of the worker is said by an event of its own, before or after.
struct TaskFailed {
	TaskKey task;
	Attempt attempt = 0;
	WorkerId worker;
	TaskError error;
};
//! The answer to ResolveTaskCount. A second one for the same stage is ignored.
struct StageSized {
	StageId stage = 0;
	//! At least 1
	uint32_t task_count = 1;
	//! Empty, or one per task, as in SchedulerStage
	std::vector<std::string> affinity_keys;
};
//! The other answer to ResolveTaskCount: the stage gets no tasks, its only reader `into` does its work as well. The
//! reader is not sized yet, reads what this one would have read, and its rows are no more repeatable than this one's.
struct StageMerged {
	StageId stage = 0;
	StageId into = 0;
};
//! The session has read all of this gather task's output: nobody needs the output any more.
struct TaskOutputConsumed {
	TaskKey task;
};
//! The session could not read the output of this attempt of a gather task, and has used nothing of it. Ignored if that
//! is not the output that counts any more.
struct TaskOutputLost {
	TaskKey task;
	Attempt attempt = 0;
	WorkerId worker;
	TaskError error;
};
//! The session needs nothing more of the query, e.g. because a LIMIT is satisfied: what still runs is cancelled.
struct QueryConsumed {};
struct Cancel {};
//! The time of the newest SetTimer has come. Early or superfluous ones do no harm.
struct TimerFired {};

} // namespace event

using SchedulerEvent =
    std::variant<event::Start, event::WorkerJoined, event::WorkerLost, event::WorkerDraining, event::TaskSucceeded,
                 event::TaskFailed, event::StageSized, event::StageMerged, event::TaskOutputConsumed,
                 event::TaskOutputLost, event::QueryConsumed, event::Cancel, event::TimerFired>;

//! What has to be done, in this order.
namespace action {

//! Its inputs are QueryScheduler::StageOutputs of the stage's inputs, as they are when Handle returns.
struct StartTask {
	TaskKey task;
	Attempt attempt = 0;
	WorkerId worker;
	//! The task runs elsewhere as well, and slowly
	bool speculative = false;
};
//! Nobody needs the attempt any more; whatever it reports is ignored.
struct CancelAttempt {
	TaskKey task;
	Attempt attempt = 0;
	WorkerId worker;
};
//! All that a stage with a deferred task count waits for is there: StageSized or StageMerged has to follow.
struct ResolveTaskCount {
	StageId stage = 0;
};
//! The session may read this output of a gather stage. A second one for the same task replaces an output that was
//! lost before the session had reported it as consumed.
struct TaskReady {
	TaskKey task;
	Attempt attempt = 0;
	WorkerId worker;
};
//! Every task has succeeded and the session has consumed every gather output, or it wants no more. The last action.
struct QueryFinished {};
//! The last action.
struct QueryFailed {
	TaskError error;
};
//! Send TimerFired at that time. Replaces the timer set before.
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
	//! Attempts started, speculative ones too
	uint32_t attempts = 0;
	//! The attempt whose output counts, or the one that runs and is not speculative, and where; empty before the first
	Attempt attempt = 0;
	WorkerId worker;
	//! A second attempt was started because it was slow
	bool speculated = false;
	//! Its output is readable there
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
	//! Attempts beyond the first of their task, but for speculative ones
	uint64_t retries = 0;
	//! Second attempts of slow tasks, and those of them that were faster
	uint64_t speculative_attempts = 0;
	uint64_t speculative_won = 0;
	//! Outputs of succeeded tasks that were lost
	uint64_t outputs_lost = 0;
	//! Results ignored: of an old or unknown attempt, a second success, after the end of the query
	uint64_t stale_results = 0;
	uint64_t duplicate_results = 0;
	uint64_t late_results = 0;
};

} // namespace duckherder
