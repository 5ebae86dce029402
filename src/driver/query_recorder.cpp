#include "driver/query_recorder.hpp"

#include "common/limits.hpp"

#include <algorithm>

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

QueryRecorder::Entry QueryRecorder::Begin(QueryRecord record) {
	auto entry = std::make_shared<QueryRecord>(std::move(record));
	std::lock_guard<std::mutex> guard(lock);
	queries.push_back(entry);
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
		queries.pop_front();
	}
}

std::vector<QueryRecord> QueryRecorder::Snapshot() const {
	std::lock_guard<std::mutex> guard(lock);
	std::vector<QueryRecord> result;
	result.reserve(queries.size());
	for (auto &query : queries) {
		result.push_back(*query);
	}
	return result;
}

void QueryRecorder::Clear() {
	std::lock_guard<std::mutex> guard(lock);
	queries.erase(std::remove_if(queries.begin(), queries.end(), [](auto &query) { return query->state != "RUNNING"; }),
	              queries.end());
}

} // namespace duckherder
