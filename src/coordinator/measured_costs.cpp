#include "coordinator/measured_costs.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace duckherder {

namespace {

//! A new value counts for a tenth: one query that was held up by something else changes little, and ten queries are
//! enough to notice another network.
constexpr double NEW_SHARE = 0.1;
//! Whatever a query has shown, a stage does not count for less or more than this, in us: what is beyond was something
//! else, for example a client that has read its result slowly.
constexpr double STAGE_US_MIN = 200;
constexpr double STAGE_US_MAX = 200000;
//! The same of a byte, in ns: memory is not faster, and 10 Mbit/s are not slower
constexpr double BYTE_NS_MIN = 0.2;
constexpr double BYTE_NS_MAX = 800;
//! Less than this says more about the call than about its bytes
constexpr uint64_t TRANSFER_BYTES_MIN = 1ULL << 20;

double Smoothed(double before, double value, double least, double most) {
	return before + NEW_SHARE * (std::clamp(value, least, most) - before);
}

} // namespace

uint64_t BusyTime(const std::vector<TaskHistory> &tasks) {
	std::map<std::pair<StageId, WorkerId>, uint64_t> by_worker;
	for (auto &task : tasks) {
		by_worker[{task.stage_id, task.worker_id}] += task.duration_us;
	}
	std::map<StageId, uint64_t> by_stage;
	for (auto &entry : by_worker) {
		auto &longest = by_stage[entry.first.first];
		longest = std::max(longest, entry.second);
	}
	uint64_t total = 0;
	for (auto &entry : by_stage) {
		total += entry.second;
	}
	return total;
}

ClusterCosts MeasuredCosts::Get() const {
	MutexLock guard(lock);
	return costs;
}

void MeasuredCosts::NoteStages(const std::vector<TaskHistory> &tasks, size_t stages, uint64_t duration_us) {
	if (stages == 0) {
		return;
	}
	auto idle = static_cast<double>(duration_us) - static_cast<double>(BusyTime(tasks));
	MutexLock guard(lock);
	costs.stage_us = Smoothed(costs.stage_us, idle / static_cast<double>(stages), STAGE_US_MIN, STAGE_US_MAX);
}

void MeasuredCosts::NoteTransfer(uint64_t bytes, uint64_t duration_us) {
	if (bytes < TRANSFER_BYTES_MIN) {
		return;
	}
	MutexLock guard(lock);
	auto byte_ns = 1000 * static_cast<double>(duration_us) / static_cast<double>(bytes);
	costs.byte_ns = Smoothed(costs.byte_ns, byte_ns, BYTE_NS_MIN, BYTE_NS_MAX);
}

} // namespace duckherder
