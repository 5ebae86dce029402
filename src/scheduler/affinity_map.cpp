#include "scheduler/affinity_map.hpp"

namespace duckherder {

AffinityMap::AffinityMap(size_t capacity) : capacity(capacity) {
}

std::optional<WorkerId> AffinityMap::Find(const std::string &key) {
	std::lock_guard<std::mutex> guard(lock);
	auto position = positions.find(key);
	if (position == positions.end()) {
		return std::nullopt;
	}
	entries.splice(entries.begin(), entries, position->second);
	return position->second->second;
}

void AffinityMap::Put(const std::string &key, const WorkerId &worker) {
	std::lock_guard<std::mutex> guard(lock);
	auto position = positions.find(key);
	if (position != positions.end()) {
		position->second->second = worker;
		entries.splice(entries.begin(), entries, position->second);
		return;
	}
	if (capacity == 0) {
		return;
	}
	if (entries.size() >= capacity) {
		positions.erase(entries.back().first);
		entries.pop_back();
	}
	entries.emplace_front(key, worker);
	positions.emplace(key, entries.begin());
}

size_t AffinityMap::Size() const {
	std::lock_guard<std::mutex> guard(lock);
	return entries.size();
}

} // namespace duckherder
