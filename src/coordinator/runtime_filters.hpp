#pragma once

#include "coordinator/feed_scan.hpp"
#include "engine/key_set.hpp"
#include "planner/interface/distributed_plan.hpp"
#include "protocol/messages.hpp"

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace duckherder {

//! Makes filters of scans out of the keys that the tasks of other stages have collected. Merging and encoding takes
//! milliseconds for Bloom filters of megabytes, so it is not done under the coordinator's lock. Thread-safe: it has a
//! lock of its own, and only threads that add or need filters wait for that.
class RuntimeFilters {
public:
	//! What the scan of a stage filters by, decoded and encoded
	struct StageFilter {
		uint32_t column = 0;
		std::shared_ptr<const KeySet> keys;
		std::shared_ptr<const std::string> encoded;
	};

	//! Adds what a task of `source` has collected, before anybody hears that the task has succeeded. A second attempt
	//! finds the same keys, so that adding them again adds nothing.
	void Add(StageId source, std::vector<KeySet> keys);
	//! The filters of a stage whose sources are complete: made by the first call, the same for all calls.
	//! Throws std::out_of_range if a source has collected nothing.
	const std::vector<StageFilter> &Of(StageId stage, const duckdb::vector<PlannedScanFilter> &planned);
	//! The same for a request, and for a feed that counts what it leaves out.
	std::vector<ScanFilter> ForTask(StageId stage, const duckdb::vector<PlannedScanFilter> &planned);
	std::vector<FeedFilter> ForFeed(StageId stage, const duckdb::vector<PlannedScanFilter> &planned,
	                                const std::shared_ptr<std::atomic<uint64_t>> &pruned);

private:
	std::mutex lock;
	//! By stage, in the order of its exchange's collected_keys
	std::map<StageId, std::vector<KeySet>> collected;
	//! By stage; an entry stays as it is, and where it is
	std::map<StageId, std::vector<StageFilter>> filters;
};

} // namespace duckherder
