#pragma once

#include "common/ids.hpp"
#include "common/mutex.hpp"
#include "plan/stage_graph.hpp"
#include "protocol/messages.hpp"

#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace duckherder {

//! One attempt-carrying task as users see it in duckherder_tasks()
struct TaskHistory {
	StageId stage_id = 0;
	DistributedPipelineTask task;
	WorkerId worker_id;
	Attempt attempt = 0;
	//! It was slow, so a second attempt was started elsewhere
	bool speculative = false;
	//! QUEUED, RUNNING, DONE, FAILED, CANCELLED
	std::string state = "QUEUED";
	//! Why its last attempt that failed did so, see ErrorKindName; empty: none failed. Not in the file of the history
	std::string failure;
	//! Read by the scan, if there is one, otherwise put out
	uint64_t rows = 0;
	uint64_t input_rows = 0;
	uint64_t output_rows = 0;
	//! Put out
	uint64_t bytes = 0;
	//! Left out by the scan, one by one, because of keys that other stages have found
	uint64_t pruned_rows = 0;
	//! TaskResult::spilled_bytes
	uint64_t spilled_bytes = 0;
	uint64_t duration_us = 0;
	//! Since the query's start; none before its result is there
	std::optional<uint64_t> start_us;
	//! TaskResult::prepared_us and TaskResult::reads; not in the file of the history
	uint64_t prepared_us = 0;
	std::vector<InputRead> reads;
};

//! A stage as users see it on the pages. What its tasks add up to is theirs.
struct StageHistory {
	StageId stage_id = 0;
	//! Its operators, see Stage::description
	std::string description;
	//! Where its rows go, see ExchangeKindName, and by what
	std::string exchange;
	std::string keys;
	std::vector<StageId> inputs;
	//! Stages whose keys its scan leaves rows out by
	std::vector<StageId> filters_from;
	//! What real sizes have decided; empty if there was nothing to decide
	std::string decision;
	uint64_t estimated_rows = 0;
};

enum class ExecutionMode : uint8_t { LOCAL, PARTIAL, DISTRIBUTED };

const char *ExecutionModeName(ExecutionMode mode);

//! What traces, metrics and pages tell of a query, and the file of the history does not keep.
struct QueryTrace {
	//! The trace context of the caller, see TraceContext; empty: none
	std::string traceparent;
	//! How long DuckDB and we have planned it, before its start; 0: not known, or it was prepared before
	uint64_t planning_us = 0;
	//! How long it has waited for its place, after its start
	uint64_t queued_us = 0;
	//! QueryRecord::retries by the reason, see QueryJournal::NoteStart
	std::map<std::string, uint64_t> retries_by_reason;
};

struct QueryRecord {
	//! In the order in which queries began, those of earlier drivers included; given by the recorder
	uint64_t number = 0;
	QueryId query_id;
	std::string sql;
	ExecutionMode mode = ExecutionMode::LOCAL;
	//! Why not fully distributed
	std::string local_reason;
	std::string partition_strategy;
	std::string merge_strategy;
	uint32_t num_stages = 0;
	uint32_t num_workers_used = 0;
	uint64_t retries = 0;
	//! Bytes that crossed exchanges, uncompressed
	uint64_t bytes_exchanged = 0;
	uint64_t duration_us = 0;
	int64_t start_time_us = 0;
	//! QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED; LOST: the driver ended before the query
	std::string state = "RUNNING";
	std::string error;
	std::vector<TaskHistory> tasks;
	//! Empty for a query of an earlier version's driver
	std::vector<StageHistory> stages;
	//! The query ran in a session of another process, which has reported it: there are no tasks and stages of it here,
	//! only what they add up to. It is for the pages, not for the views and the file of the history.
	std::optional<QueryReport> report;
	QueryTrace trace;
	//! When that report came, in microseconds since the epoch
	int64_t reported_us = 0;

	//! The state, unless the session that reports the query has fallen silent: then it is LOST
	std::string StateAt(int64_t now_us) const;
	bool Running() const {
		return state == "RUNNING" || state == "QUEUED";
	}
};

//! The upper bounds of the buckets in which durations are counted, in seconds; one more bucket has the rest.
constexpr double DURATION_BOUNDS_SECONDS[] = {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                              2.5,   5,    10,    30,   60,  300,  1800};
constexpr size_t DURATION_BUCKETS = std::size(DURATION_BOUNDS_SECONDS) + 1;

//! What queries that have ended add up to, for counters that never fall
struct QueryTotals {
	struct Durations {
		uint64_t buckets[DURATION_BUCKETS] = {};
		uint64_t sum_us = 0;
		uint64_t count = 0;
	};
	//! How many, by mode and by how they ended
	std::map<std::pair<ExecutionMode, std::string>, uint64_t> queries;
	std::map<ExecutionMode, Durations> durations;
	std::map<std::string, uint64_t> tasks_by_state;
	uint64_t speculative_tasks = 0;
	std::map<std::string, uint64_t> retries_by_reason;
	//! Queries that did not run as a whole on workers, by mode and by the reason, see ReasonLabel
	std::map<std::pair<ExecutionMode, std::string>, uint64_t> reasons;
	uint64_t queued_us = 0;
	uint64_t bytes_exchanged = 0;
	//! What tasks have read of exchanges, by how it came: see InputRead
	uint64_t inline_bytes = 0;
	uint64_t local_bytes = 0;
	uint64_t network_bytes = 0;
	uint64_t scanned_rows = 0;
	uint64_t pruned_rows = 0;

	void Add(const QueryRecord &record);

private:
	void AddReason(const QueryRecord &record);
};

//! The reason as a label of a metric: without what differs from query to query, names and numbers
std::string ReasonLabel(const std::string &reason);

//! What the tasks of a query add up to; those of a query that was reported are what the report says.
struct TaskSums {
	uint64_t tasks = 0;
	uint64_t done = 0;
	uint64_t running = 0;
	uint64_t scanned_rows = 0;
	uint64_t pruned_rows = 0;
	//! The most that one task has seen: each counts what its worker has on disk
	uint64_t spilled_bytes = 0;

	explicit TaskSums(const QueryRecord &record);
};

//! What a driver is told about a query of this process, which sends its traces to a collector itself if it is `traced`.
QueryReport ReportOf(const QueryRecord &record, const std::string &session, bool traced);

//! What has become of a recorder's records since somebody asked last
struct RecordChanges {
	//! Clear was called
	bool cleared = false;
	//! Whatever was known before, `changed` has all records
	bool everything = false;
	//! Those that have begun, ended, or changed their state, oldest first. Running ones come without their tasks.
	std::vector<QueryRecord> changed;
	//! Numbers of those that are not there any more
	std::vector<uint64_t> removed;

	bool Empty() const {
		return !cleared && !everything && changed.empty() && removed.empty();
	}
};

//! Remembers queries for the statistics functions, running ones included, bounded by limits::HISTORY_*. Thread-safe.
class QueryRecorder {
public:
	using Entry = std::shared_ptr<QueryRecord>;

	//! The record stays the recorder's; change it only through Update.
	Entry Begin(QueryRecord record);
	template <class CHANGE>
	void Update(const Entry &entry, CHANGE change) {
		MutexLock guard(lock);
		auto state = entry->state;
		change(*entry);
		changes++;
		if (entry->state != state) {
			NoteChange(entry);
			if (!entry->Running()) {
				totals.Add(*entry);
			}
		}
	}
	//! Of this process's queries, oldest first.
	std::vector<QueryRecord> Snapshot() const;
	//! A session of another process tells how a query of its own is.
	//! `now_us`: microseconds since the epoch
	void TakeReport(const QueryReport &report, int64_t now_us);
	//! Calls for each record, oldest first, with the lock held: `look` does not call back, and is quick.
	template <class LOOK>
	void ForEach(LOOK look) const {
		MutexLock guard(lock);
		for (auto &query : queries) {
			look(static_cast<const QueryRecord &>(*query));
		}
	}
	std::optional<QueryRecord> Find(const QueryId &query) const;
	//! Forgets what has ended.
	void Clear();
	//! Rises with whatever changes in a record
	uint64_t Changes() const;
	//! Of all queries that have ended here, those included that are forgotten; not of earlier drivers
	QueryTotals Totals() const;

	//! Puts records of earlier drivers, oldest first, before those that are here, and notes changes from now on.
	void Restore(std::vector<QueryRecord> earlier);
	//! For one who keeps the records elsewhere too. There are never more of them than records.
	RecordChanges TakeChanges();
	//! They were taken, but did not arrive: the next changes are everything.
	void ChangesWereLost(const RecordChanges &changes);

private:
	void Trim() REQUIRES(lock);
	void NoteChange(const Entry &entry) REQUIRES(lock);
	void NoteRemoval(const QueryRecord &record) REQUIRES(lock);

	mutable Mutex lock;
	std::deque<Entry> queries GUARDED_BY(lock);
	uint64_t next_number GUARDED_BY(lock) = 1;
	uint64_t changes GUARDED_BY(lock) = 0;
	QueryTotals totals GUARDED_BY(lock);
	bool notes_changes GUARDED_BY(lock) = false;
	bool cleared GUARDED_BY(lock) = false;
	bool everything GUARDED_BY(lock) = false;
	std::map<uint64_t, Entry> changed GUARDED_BY(lock);
	//! Numbers of the records that were taken and are still there, and of those that are not
	std::set<uint64_t> taken GUARDED_BY(lock);
	std::vector<uint64_t> removed GUARDED_BY(lock);
};

} // namespace duckherder
