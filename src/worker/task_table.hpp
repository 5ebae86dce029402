#pragma once

#include "common/ids.hpp"
#include "exchange/task_inputs.hpp"

#include "duckdb.hpp"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

namespace duckherder {

//! One running attempt, as far as others may touch it. Thread-safe.
class RunningTask {
public:
	RunningTask(QueryId query, TaskKey key, Attempt attempt);

	//! What Cancel has to stop. Throws InterruptException if the task was cancelled already.
	void Attach(duckdb::shared_ptr<duckdb::ClientContext> context, duckdb::shared_ptr<TaskInputs> inputs);
	//! The attempt no longer uses them
	void Detach();
	//! Interrupts the query and wakes its waiting readers. Idempotent.
	void Cancel();
	bool Cancelled() const;
	//! Interrupts it with an out-of-memory error of this text. False if it has ended or been interrupted before.
	bool FailForMemory(const std::string &message);
	//! Empty unless FailForMemory was called
	std::string MemoryError() const;

	const QueryId query;
	const TaskKey key;
	const Attempt attempt;

private:
	mutable std::mutex lock;
	bool cancelled = false;
	std::string memory_error;
	duckdb::shared_ptr<duckdb::ClientContext> context;
	duckdb::shared_ptr<TaskInputs> inputs;
};

//! The running attempts of a worker, and the queries that need none any more. Thread-safe.
class TaskTable {
public:
	//! Null if the query was cancelled, or everything was
	std::shared_ptr<RunningTask> Begin(const QueryId &query, TaskKey key, Attempt attempt);
	void End(const std::shared_ptr<RunningTask> &task);
	//! Cancels the running attempts of the query; later ones of it do not begin. The last RELEASED_QUERIES_MAX such
	//! queries are remembered.
	void CancelQuery(const QueryId &query);
	//! Cancels that attempt if it runs
	void CancelAttempt(const QueryId &query, TaskKey key, Attempt attempt);
	//! Cancels everything, now and from now on
	void Close();
	//! False if attempts still run after that time
	//! The task that has run for the longest time, which is most likely the one that has grown most: DuckDB does not
	//! say what memory is whose. False if all have been interrupted.
	bool FailOneForMemory(const std::string &message);
	bool WaitUntilIdle(std::chrono::milliseconds time);
	uint32_t Count();

private:
	std::mutex lock;
	std::condition_variable idle;
	//! In the order in which they began
	std::vector<std::shared_ptr<RunningTask>> running;
	bool closed = false;
	std::unordered_set<QueryId> released;
	//! The same, oldest first
	std::deque<QueryId> released_order;
};

} // namespace duckherder
