#pragma once

#include "coordinator/coordinator_services.hpp"
#include "coordinator/feed_scan.hpp"
#include "coordinator/gather_outputs.hpp"
#include "coordinator/guarded_feed.hpp"
#include "coordinator/key_samples.hpp"
#include "coordinator/runtime_filters.hpp"
#include "scheduler/scheduler_types.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace duckherder {

//! What the tasks of a query have told of the keys of their rows.
struct ReportedKeys {
	RuntimeFilters filters;
	KeySamples samples;
};

//! One attempt, with all that its thread needs to know, so that it takes no lock of the coordinator.
struct AttemptCall {
	TaskRequest request;
	WorkerAddress worker;
	//! What its scan filters by
	duckdb::vector<PlannedScanFilter> filters;
	//! The scan that the session runs for it; null if the task is not fed
	duckdb::optional_ptr<FeedScan> feed;
	//! Of the columns that the fragment puts out
	duckdb::vector<duckdb::LogicalType> types;
};

//! Calls workers for one query: runs attempts there, and stops them. Thread-safe. The session's scans are touched by
//! Run only, and what it is given outlives this.
class TaskDispatcher {
public:
	TaskDispatcher(QueryId query, const CoordinatorServices &services, ReportedKeys &keys, GatherOutputs &outputs);

	//! Runs an attempt to its end, from its feed to its result, and waits for it. What it has told of its keys is with
	//! the keys then. Every failure is in the result.
	TaskResult Run(AttemptCall &call);
	//! The result has been used, and the feed of the task is not needed any more.
	void Forget(TaskKey task);
	//! The worker is told that nobody needs the attempt. Does not wait.
	void Stop(const action::CancelAttempt &cancelled, const WorkerAddress &worker);
	//! The feed of the task ends. Does not wait.
	void CancelFeed(TaskKey task);
	//! Stops all attempts of the query, now and from now on, and frees its outputs. Does not wait. Idempotent.
	void StopAll(const std::vector<WorkerAddress> &workers);
	bool Stopped();
	//! After StopAll, every WATCH_INTERVAL_MS while attempts run: hangs up on the workers that have not confirmed
	//! within CANCEL_CALL_TIMEOUT_MS that they have stopped, as a call may have begun after the others were cut.
	void HangUp();

private:
	TaskResult CallWorker(const AttemptCall &call, const std::shared_ptr<ChunkSource> &feed);
	//! Throws what opening the scan throws, which is then the query's error
	std::shared_ptr<GuardedFeed> OpenFeed(AttemptCall &call, const std::shared_ptr<std::atomic<uint64_t>> &pruned);
	//! Throws IOException if the worker has not sent what it was asked for
	static void CheckPartitions(const AttemptCall &call, const TaskResult &result);
	static std::vector<KeySet> DecodeKeys(const AttemptCall &call, const TaskResult &result);

	struct StoppedWorker {
		std::string location;
		//! It has confirmed that it has stopped
		std::shared_ptr<std::atomic<bool>> confirmed;
	};

	const QueryId query;
	const CoordinatorServices &services;
	ReportedKeys &keys;
	GatherOutputs &outputs;
	std::mutex lock;
	std::map<TaskKey, std::shared_ptr<ChunkSource>> open_feeds;
	bool stopped = false;
	TimeMs stopped_at = 0;
	std::vector<StoppedWorker> stopped_workers;
};

} // namespace duckherder
