#pragma once

#include "common/ids.hpp"
#include "common/mutex.hpp"
#include "history/query_recorder.hpp"
#include "planner/interface/machines.hpp"

#include <cstdint>
#include <vector>

namespace duckherder {

//! What using the workers has cost in the queries that have finished, smoothed. Thread-safe.
class MeasuredCosts {
public:
	ClusterCosts Get() const;
	//! A query has had its last result `duration_us` after its start. What its workers were not busy for is what its
	//! stages have cost beside their work.
	void NoteStages(const std::vector<TaskHistory> &tasks, size_t stages, uint64_t duration_us);
	//! So many bytes came from a worker, for which somebody waited and decoded so long.
	void NoteTransfer(uint64_t bytes, uint64_t duration_us);

private:
	mutable Mutex lock;
	ClusterCosts costs GUARDED_BY(lock);
};

//! The time in which some worker had a task of the stage, summed over stages: of each stage, that of the worker that
//! had most to do.
uint64_t BusyTime(const std::vector<TaskHistory> &tasks);

} // namespace duckherder
