#pragma once

#include "common/ids.hpp"
#include "engine/key_sample.hpp"

#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace duckherder {

//! The samples of sort keys that the tasks of a query have taken. Thread-safe: it has a lock of its own.
class KeySamples {
public:
	//! Adds what a task has taken, before anybody hears that the task has succeeded. A second attempt takes the place
	//! of the first.
	void Add(TaskKey task, KeySample sample);
	//! Bounds between so many ranges of the rows that a stage has put out. Without samples there are none.
	std::vector<std::string> Bounds(StageId stage, uint32_t partitions);

private:
	std::mutex lock;
	std::map<StageId, std::map<TaskId, KeySample>> samples;
};

} // namespace duckherder
