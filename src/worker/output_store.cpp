#include "worker/output_store.hpp"

#include <numeric>
#include <vector>

namespace duckherder {

namespace {

uint64_t BytesOf(const OutputBuffer &output) {
	auto &partitions = output.PartitionBytes();
	return std::accumulate(partitions.begin(), partitions.end(), uint64_t(0));
}

} // namespace

OutputStore::OutputStore(std::shared_ptr<Clock> clock_p, uint64_t lease_timeout_ms_p)
    : clock(std::move(clock_p)), lease_timeout_ms(lease_timeout_ms_p) {
}

std::shared_ptr<OutputBuffer> OutputStore::Put(const QueryId &query, const TaskKey &task, Attempt attempt,
                                               std::shared_ptr<OutputBuffer> output) {
	std::lock_guard<std::mutex> guard(lock);
	auto &entry = queries[query];
	entry.last_asked_ms = clock->NowMs();
	auto bytes = BytesOf(*output);
	auto kept = entry.outputs.emplace(AttemptKey(task, attempt), std::move(output));
	entry.bytes += kept.second ? bytes : 0;
	return kept.first->second;
}

std::shared_ptr<OutputBuffer> OutputStore::Get(const QueryId &query, const TaskKey &task, Attempt attempt) {
	std::lock_guard<std::mutex> guard(lock);
	auto entry = queries.find(query);
	if (entry == queries.end()) {
		return nullptr;
	}
	entry->second.last_asked_ms = clock->NowMs();
	auto output = entry->second.outputs.find(AttemptKey(task, attempt));
	return output == entry->second.outputs.end() ? nullptr : output->second;
}

void OutputStore::Drop(const QueryId &query, const TaskKey &task, Attempt attempt) {
	std::shared_ptr<OutputBuffer> dropped;
	std::lock_guard<std::mutex> guard(lock);
	auto entry = queries.find(query);
	if (entry == queries.end()) {
		return;
	}
	auto output = entry->second.outputs.find(AttemptKey(task, attempt));
	if (output != entry->second.outputs.end()) {
		// freed after the lock is
		dropped = std::move(output->second);
		entry->second.bytes -= BytesOf(*dropped);
		entry->second.outputs.erase(output);
	}
	if (entry->second.outputs.empty()) {
		queries.erase(entry);
	}
}

void OutputStore::DropQuery(const QueryId &query) {
	QueryOutputs dropped;
	std::lock_guard<std::mutex> guard(lock);
	auto entry = queries.find(query);
	if (entry != queries.end()) {
		// freed after the lock is
		dropped = std::move(entry->second);
		queries.erase(entry);
	}
}

void OutputStore::DropAll() {
	std::unordered_map<QueryId, QueryOutputs> dropped;
	std::lock_guard<std::mutex> guard(lock);
	dropped = std::move(queries);
	queries.clear();
}

void OutputStore::RenewLease(const QueryId &query) {
	std::lock_guard<std::mutex> guard(lock);
	auto entry = queries.find(query);
	if (entry != queries.end()) {
		entry->second.last_asked_ms = clock->NowMs();
	}
}

void OutputStore::DropExpired() {
	std::vector<QueryOutputs> dropped;
	std::lock_guard<std::mutex> guard(lock);
	auto now = clock->NowMs();
	for (auto entry = queries.begin(); entry != queries.end();) {
		if (now - entry->second.last_asked_ms > lease_timeout_ms) {
			dropped.push_back(std::move(entry->second));
			entry = queries.erase(entry);
		} else {
			++entry;
		}
	}
}

uint64_t OutputStore::Bytes() {
	std::lock_guard<std::mutex> guard(lock);
	uint64_t bytes = 0;
	for (auto &query : queries) {
		bytes += query.second.bytes;
	}
	return bytes;
}

uint32_t OutputStore::QueryCount() {
	std::lock_guard<std::mutex> guard(lock);
	return static_cast<uint32_t>(queries.size());
}

} // namespace duckherder
