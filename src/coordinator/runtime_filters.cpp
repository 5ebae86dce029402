#include "coordinator/runtime_filters.hpp"

namespace duckherder {

void RuntimeFilters::Add(StageId source, std::vector<KeySet> keys) {
	std::lock_guard<std::mutex> guard(lock);
	auto &all = collected[source];
	for (size_t i = 0; i < keys.size(); i++) {
		if (all.size() == i) {
			all.push_back(std::move(keys[i]));
		} else {
			all[i].Merge(keys[i]);
		}
	}
}

const std::vector<RuntimeFilters::StageFilter> &RuntimeFilters::Of(StageId stage,
                                                                   const duckdb::vector<PlannedScanFilter> &planned) {
	std::lock_guard<std::mutex> guard(lock);
	auto known = filters.find(stage);
	if (known != filters.end()) {
		return known->second;
	}
	std::vector<StageFilter> made;
	for (auto &one : planned) {
		auto keys = std::make_shared<KeySet>(collected.at(one.source).at(one.key).Fitted());
		StageFilter filter;
		filter.column = one.column;
		filter.encoded = std::make_shared<const std::string>(keys->Encode());
		keys->PrepareLookUps();
		filter.keys = std::move(keys);
		made.push_back(std::move(filter));
	}
	return filters.emplace(stage, std::move(made)).first->second;
}

std::vector<ScanFilter> RuntimeFilters::ForTask(StageId stage, const duckdb::vector<PlannedScanFilter> &planned) {
	std::vector<ScanFilter> result;
	for (auto &filter : Of(stage, planned)) {
		result.push_back({filter.column, filter.encoded});
	}
	return result;
}

std::vector<FeedFilter> RuntimeFilters::ForFeed(StageId stage, const duckdb::vector<PlannedScanFilter> &planned,
                                                const std::shared_ptr<std::atomic<uint64_t>> &pruned) {
	std::vector<FeedFilter> result;
	for (auto &filter : Of(stage, planned)) {
		result.push_back({filter.column, filter.keys, pruned});
	}
	return result;
}

} // namespace duckherder
