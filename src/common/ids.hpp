#pragma once

#include <cstdint>
#include <string>
#include <tuple>

namespace duckherder {

//! Identifies one execution of one query in the whole cluster; never reused.
using QueryId = std::string;
using WorkerId = std::string;
//! Number of a stage within its query, 0-based; producers have smaller numbers than their consumers.
using StageId = uint32_t;
//! Number of a pipeline task within its stage, 0-based.
using TaskId = uint32_t;
//! Number of a try to run a task, 0-based. Only one attempt of a task ever counts.
using Attempt = uint32_t;

//! A task of a query, whatever the attempt.
struct TaskKey {
	StageId stage = 0;
	TaskId task = 0;

	bool operator==(const TaskKey &other) const {
		return stage == other.stage && task == other.task;
	}
	bool operator<(const TaskKey &other) const {
		return std::tie(stage, task) < std::tie(other.stage, other.task);
	}
};

} // namespace duckherder
