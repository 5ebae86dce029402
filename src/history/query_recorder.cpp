#include "history/query_recorder.hpp"

#include "common/limits.hpp"
#include "common/text.hpp"
#include "history/stage_totals.hpp"

#include <algorithm>
#include <utility>

namespace duckherder {

const char *ExecutionModeName(ExecutionMode mode) {
	switch (mode) {
	case ExecutionMode::LOCAL:
		return "LOCAL";
	case ExecutionMode::PARTIAL:
		return "PARTIAL";
	case ExecutionMode::DISTRIBUTED:
		return "DISTRIBUTED";
	}
	return "UNKNOWN";
}

void QueryTotals::Add(const QueryRecord &record) {
	queries[{record.mode, record.state}]++;
	auto &times = durations[record.mode];
	auto seconds = static_cast<double>(record.duration_us) / 1e6;
	auto bound = std::lower_bound(std::begin(DURATION_BOUNDS_SECONDS), std::end(DURATION_BOUNDS_SECONDS), seconds);
	times.buckets[bound - std::begin(DURATION_BOUNDS_SECONDS)]++;
	times.sum_us += record.duration_us;
	times.count++;
	TaskSums sums(record);
	scanned_rows += sums.scanned_rows;
	pruned_rows += sums.pruned_rows;
	if (record.report) {
		tasks_by_state["DONE"] += sums.done;
	}
	for (auto &task : record.tasks) {
		tasks_by_state[task.state]++;
		speculative_tasks += task.speculative ? 1 : 0;
	}
	auto read = AddUpReads(record.tasks);
	inline_bytes += read.inline_bytes;
	local_bytes += read.local_bytes;
	network_bytes += read.network_bytes;
	for (auto &entry : record.trace.retries_by_reason) {
		retries_by_reason[entry.first] += entry.second;
	}
	if (record.report && record.retries > 0) {
		retries_by_reason["reported"] += record.retries;
	}
	queued_us += record.trace.queued_us;
	bytes_exchanged += record.bytes_exchanged;
	AddReason(record);
}

void QueryTotals::AddReason(const QueryRecord &record) {
	if (record.mode == ExecutionMode::DISTRIBUTED || record.local_reason.empty()) {
		return;
	}
	std::pair<ExecutionMode, std::string> key(record.mode, ReasonLabel(record.local_reason));
	// each is a time series: however odd the queries are, there are few
	constexpr size_t REASONS_MAX = 50;
	if (reasons.size() >= REASONS_MAX && reasons.count(key) == 0) {
		key.second = "other";
	}
	reasons[key]++;
}

std::string ReasonLabel(const std::string &reason) {
	constexpr size_t LENGTH_MAX = 80;
	std::string label;
	char quote = 0;
	for (auto character : reason) {
		if (quote) {
			quote = character == quote ? 0 : quote;
		} else if (character == ':' || character == ';' || label.size() >= LENGTH_MAX) {
			break;
		} else if (character == '"' || character == '\'') {
			quote = character;
			label += '*';
		} else if (character >= '0' && character <= '9') {
			label += label.empty() || label.back() != '#' ? "#" : "";
		} else {
			label += character;
		}
	}
	return label;
}

TaskSums::TaskSums(const QueryRecord &record) {
	if (record.report) {
		auto &report = *record.report;
		tasks = report.tasks;
		done = report.tasks_done;
		running = report.tasks_running;
		scanned_rows = report.scanned_rows;
		pruned_rows = report.pruned_rows;
		spilled_bytes = report.spilled_bytes;
		return;
	}
	tasks = record.tasks.size();
	for (auto &task : record.tasks) {
		done += task.state == "DONE" ? 1 : 0;
		running += task.state == "RUNNING" ? 1 : 0;
		scanned_rows += task.input_rows;
		pruned_rows += task.pruned_rows;
		spilled_bytes = std::max(spilled_bytes, task.spilled_bytes);
	}
}

std::string QueryRecord::StateAt(int64_t now_us) const {
	auto silent = now_us - reported_us > static_cast<int64_t>(limits::ADMISSION_LEASE_MS) * 1000;
	return report && Running() && silent ? "LOST" : state;
}

QueryReport ReportOf(const QueryRecord &record, const std::string &session, bool traced) {
	QueryReport report;
	report.query_id = record.query_id;
	report.session = session;
	report.sql = record.sql.substr(0, WholeCharacters(record.sql, limits::HISTORY_TEXT_BYTES_MAX));
	report.mode = ExecutionModeName(record.mode);
	report.state = record.state;
	report.local_reason = record.local_reason;
	report.error = record.error.substr(0, WholeCharacters(record.error, limits::HISTORY_TEXT_BYTES_MAX));
	report.start_time_us = record.start_time_us;
	report.duration_us = record.duration_us;
	report.num_stages = record.num_stages;
	report.num_workers_used = record.num_workers_used;
	report.retries = record.retries;
	report.bytes_exchanged = record.bytes_exchanged;
	TaskSums sums(record);
	report.tasks = sums.tasks;
	report.tasks_done = sums.done;
	report.tasks_running = sums.running;
	report.scanned_rows = sums.scanned_rows;
	report.pruned_rows = sums.pruned_rows;
	report.spilled_bytes = sums.spilled_bytes;
	report.traced = traced;
	return report;
}

namespace {

//! States and modes that are no such become those that say least: the texts come from another process
QueryRecord RecordOfReport(const QueryReport &report) {
	QueryRecord record;
	record.query_id = report.query_id;
	record.sql = report.sql;
	record.mode =
	    report.mode == ExecutionModeName(ExecutionMode::PARTIAL) ? ExecutionMode::PARTIAL : ExecutionMode::DISTRIBUTED;
	record.state = "FAILED";
	for (auto state : {"QUEUED", "RUNNING", "SUCCEEDED", "CANCELLED"}) {
		if (report.state == state) {
			record.state = state;
		}
	}
	record.local_reason = report.local_reason;
	record.error = report.error;
	record.start_time_us = report.start_time_us;
	record.duration_us = report.duration_us;
	record.num_stages = report.num_stages;
	record.num_workers_used = report.num_workers_used;
	record.retries = report.retries;
	record.bytes_exchanged = report.bytes_exchanged;
	record.report = report;
	record.report->sql.clear();
	record.report->error.clear();
	return record;
}

} // namespace

QueryRecorder::Entry QueryRecorder::Begin(QueryRecord record) {
	auto entry = std::make_shared<QueryRecord>(std::move(record));
	MutexLock guard(lock);
	entry->number = next_number++;
	changes++;
	queries.push_back(entry);
	NoteChange(entry);
	Trim();
	return entry;
}

void QueryRecorder::Trim() {
	uint64_t tasks = 0;
	for (auto &query : queries) {
		tasks += query->tasks.size();
	}
	while (queries.size() > limits::HISTORY_QUERIES_MAX || (tasks > limits::HISTORY_TASKS_MAX && queries.size() > 1)) {
		tasks -= queries.front()->tasks.size();
		NoteRemoval(*queries.front());
		queries.pop_front();
	}
}

void QueryRecorder::NoteChange(const Entry &entry) {
	// a query that runs for very long may have been trimmed
	if (notes_changes && !queries.empty() && entry->number >= queries.front()->number) {
		changed[entry->number] = entry;
	}
}

void QueryRecorder::NoteRemoval(const QueryRecord &record) {
	changed.erase(record.number);
	if (taken.erase(record.number) > 0) {
		removed.push_back(record.number);
	}
}

std::vector<QueryRecord> QueryRecorder::Snapshot() const {
	MutexLock guard(lock);
	std::vector<QueryRecord> result;
	result.reserve(queries.size());
	for (auto &query : queries) {
		if (!query->report) {
			result.push_back(*query);
		}
	}
	return result;
}

void QueryRecorder::TakeReport(const QueryReport &report, int64_t now_us) {
	auto record = RecordOfReport(report);
	record.reported_us = now_us;
	MutexLock guard(lock);
	changes++;
	auto same = [&](const Entry &entry) { return entry->report && entry->query_id == report.query_id; };
	auto found = std::find_if(queries.rbegin(), queries.rend(), same);
	if (found != queries.rend()) {
		// the last word is that it has ended
		if (!(*found)->Running()) {
			return;
		}
		record.number = (*found)->number;
		**found = std::move(record);
		if (!(*found)->Running()) {
			totals.Add(**found);
		}
		return;
	}
	auto entry = std::make_shared<QueryRecord>(std::move(record));
	entry->number = next_number++;
	if (!entry->Running()) {
		totals.Add(*entry);
	}
	queries.push_back(std::move(entry));
	Trim();
}

std::optional<QueryRecord> QueryRecorder::Find(const QueryId &query) const {
	MutexLock guard(lock);
	for (auto &entry : queries) {
		if (entry->query_id == query) {
			return *entry;
		}
	}
	return std::nullopt;
}

uint64_t QueryRecorder::Changes() const {
	MutexLock guard(lock);
	return changes;
}

QueryTotals QueryRecorder::Totals() const {
	MutexLock guard(lock);
	return totals;
}

void QueryRecorder::Clear() {
	MutexLock guard(lock);
	changes++;
	std::deque<Entry> running;
	for (auto &query : queries) {
		if (query->Running()) {
			running.push_back(query);
		} else {
			NoteRemoval(*query);
		}
	}
	queries = std::move(running);
	if (notes_changes) {
		cleared = true;
		everything = true;
	}
}

void QueryRecorder::Restore(std::vector<QueryRecord> earlier) {
	MutexLock guard(lock);
	auto began_here = std::move(queries);
	queries.clear();
	for (auto &record : earlier) {
		queries.push_back(std::make_shared<QueryRecord>(std::move(record)));
	}
	for (auto &query : began_here) {
		queries.push_back(query);
	}
	next_number = 1;
	for (auto &query : queries) {
		query->number = next_number++;
	}
	notes_changes = true;
	everything = true;
	Trim();
}

RecordChanges QueryRecorder::TakeChanges() {
	MutexLock guard(lock);
	if (everything) {
		for (auto &query : queries) {
			if (!query->report) {
				changed[query->number] = query;
			}
		}
		removed.clear();
	}
	RecordChanges changes;
	changes.cleared = std::exchange(cleared, false);
	changes.everything = std::exchange(everything, false);
	changes.removed.swap(removed);
	for (auto &entry : changed) {
		changes.changed.push_back(*entry.second);
		if (entry.second->Running()) {
			changes.changed.back().tasks.clear();
		}
		taken.insert(entry.first);
	}
	changed.clear();
	return changes;
}

void QueryRecorder::ChangesWereLost(const RecordChanges &changes) {
	MutexLock guard(lock);
	everything = true;
	cleared = cleared || changes.cleared;
}

} // namespace duckherder
