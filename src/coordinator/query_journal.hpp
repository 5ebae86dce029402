#pragma once

#include "coordinator/measured_costs.hpp"
#include "coordinator/stage_executions.hpp"
#include "history/query_recorder.hpp"
#include "scheduler/scheduler_types.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace duckherder {

//! Writes down what becomes of one execution of a query, for the views of the history and for the trace.
//! Thread-safe once Begin has returned. The record belongs to the recorder and outlives this.
class QueryJournal {
public:
	QueryJournal(std::shared_ptr<QueryRecorder> recorder, QueryRecorder::Entry record);

	const QueryId &Id() const {
		return record->query_id;
	}
	//! The text of the query
	const std::string &Sql() const {
		return record->sql;
	}
	//! The query waits until it may run, or does not wait any more, after that time
	void SetQueued(bool queued, uint64_t waited_us);
	//! Notes the stages and their tasks, as far as they have some.
	void Begin(const DistributedPlan &plan, const StageExecutions &stages);
	//! The stage has these tasks, which it did not have before.
	void AddTasks(StageId stage, const std::vector<DistributedPipelineTask> &tasks);
	//! Returns how many tasks of the stage have started by now. Attempts after the first one are counted by the reason:
	//! why the one before has failed (see ErrorKindName), "output_lost" if it had succeeded, "worker_lost" if nobody
	//! knows.
	size_t NoteStart(const TaskRequest &request, bool speculative);
	//! The result of an attempt that counts, which came so long after the query's start
	void NoteResult(const TaskRequest &request, const TaskResult &result, uint64_t since_start_us);
	//! One of two attempts has failed, and this one goes on.
	void NoteRemaining(const TaskInfo &remaining);
	//! The worker of each of the first `count` tasks of a stage
	std::vector<WorkerId> Assigned(StageId stage, size_t count) const;
	//! The tasks of all stages, as they are now
	std::vector<TaskHistory> Tasks() const;
	//! Tells what the query's stages have cost.
	void NoteCosts(MeasuredCosts &costs, size_t stages) const;
	//! What has been decided about each of the stages
	void NoteDecisions(const std::vector<StageOutcome> &outcomes);
	//! How the query has ended. Calls after the first one do nothing.
	void Finish(const std::string &state, const std::string &error, uint64_t duration_us);

private:
	static void NoteRetry(QueryRecord &query, const TaskHistory &task);
	TaskHistory &Find(QueryRecord &query, TaskKey task) const;

	const std::shared_ptr<QueryRecorder> recorder;
	const QueryRecorder::Entry record;
	//! Position of a stage's first task in the record, once it has tasks; read and changed within an update
	std::vector<size_t> first_tasks;
	//! By stage, likewise
	std::vector<size_t> started_tasks;
	std::atomic<bool> finished {false};
	//! How long after the query's start the last result came that was not a failure; 0 if there is none
	std::atomic<uint64_t> last_result_us {0};
};

} // namespace duckherder
