#include "worker/output_store.hpp"

namespace duckherder {

std::shared_ptr<OutputBuffer> OutputStore::Put(const QueryId &query, const TaskKey &task, Attempt attempt,
                                               std::shared_ptr<OutputBuffer> output) {
	std::lock_guard<std::mutex> guard(lock);
	return queries[query].emplace(AttemptKey(task, attempt), std::move(output)).first->second;
}

std::shared_ptr<OutputBuffer> OutputStore::Get(const QueryId &query, const TaskKey &task, Attempt attempt) {
	std::lock_guard<std::mutex> guard(lock);
	auto outputs = queries.find(query);
	if (outputs == queries.end()) {
		return nullptr;
	}
	auto entry = outputs->second.find(AttemptKey(task, attempt));
	return entry == outputs->second.end() ? nullptr : entry->second;
}

void OutputStore::DropQuery(const QueryId &query) {
	QueryOutputs dropped;
	std::lock_guard<std::mutex> guard(lock);
	auto outputs = queries.find(query);
	if (outputs != queries.end()) {
		// freed after the lock is
		dropped = std::move(outputs->second);
		queries.erase(outputs);
	}
}

void OutputStore::DropAll() {
	std::unordered_map<QueryId, QueryOutputs> dropped;
	std::lock_guard<std::mutex> guard(lock);
	dropped = std::move(queries);
	queries.clear();
}

} // namespace duckherder
