#include "transport/flight/known_stages.hpp"

namespace duckherder {

namespace {

//! About what an output's location takes besides its texts
constexpr uint64_t LOCATION_BYTES = 128;

uint64_t BytesOf(const TaskRequest &request) {
	uint64_t result = request.fragment ? request.fragment->size() : 0;
	for (auto &filter : request.scan_filters) {
		result += filter.key_set ? filter.key_set->size() : 0;
	}
	for (auto &setting : request.settings) {
		result += setting.first.size() + setting.second.size();
	}
	if (!request.inputs) {
		return result;
	}
	for (auto &input : *request.inputs) {
		for (auto &output : input.outputs) {
			result += LOCATION_BYTES + output.worker.id.size() + output.worker.location.size();
			if (output.rows) {
				for (auto &rows : *output.rows) {
					result += rows.size();
				}
			}
		}
	}
	return result;
}

} // namespace

KnownStages::KnownStages(uint64_t bytes_max_p, uint64_t count_max_p) : bytes_max(bytes_max_p), count_max(count_max_p) {
}

std::string KnownStages::Key(const TaskRequest &request) {
	return std::to_string(request.stage_id) + "/" + std::to_string(request.stage_version) + "/" + request.query_id;
}

void KnownStages::Remember(const TaskRequest &request) {
	Entry entry;
	entry.key = Key(request);
	entry.query = request.query_id;
	entry.bytes = BytesOf(request);
	entry.fragment = request.fragment;
	entry.inputs = request.inputs;
	entry.scan_filters = request.scan_filters;
	entry.settings = request.settings;
	std::lock_guard<std::mutex> guard(lock);
	auto known = by_key.find(entry.key);
	if (known != by_key.end()) {
		Erase(known->second);
	}
	bytes += entry.bytes;
	entries.push_front(std::move(entry));
	by_key[entries.front().key] = entries.begin();
	while (entries.size() > 1 && (bytes > bytes_max || entries.size() > count_max)) {
		Erase(std::prev(entries.end()));
	}
}

bool KnownStages::Complete(TaskRequest &request) {
	std::lock_guard<std::mutex> guard(lock);
	auto known = by_key.find(Key(request));
	if (known == by_key.end()) {
		return false;
	}
	entries.splice(entries.begin(), entries, known->second);
	auto &entry = entries.front();
	request.fragment = entry.fragment;
	request.inputs = entry.inputs;
	request.scan_filters = entry.scan_filters;
	request.settings = entry.settings;
	return true;
}

void KnownStages::DropQuery(const QueryId &query) {
	std::lock_guard<std::mutex> guard(lock);
	for (auto entry = entries.begin(); entry != entries.end();) {
		auto next = std::next(entry);
		if (entry->query == query) {
			Erase(entry);
		}
		entry = next;
	}
}

void KnownStages::Erase(Entries::iterator entry) {
	bytes -= entry->bytes;
	by_key.erase(entry->key);
	entries.erase(entry);
}

} // namespace duckherder
