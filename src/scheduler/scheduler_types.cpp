#include "scheduler/scheduler_types.hpp"

#include <algorithm>

namespace duckherder {

const char *TaskStateName(TaskState state) {
	switch (state) {
	case TaskState::QUEUED:
		return "QUEUED";
	case TaskState::RUNNING:
		return "RUNNING";
	case TaskState::DONE:
		return "DONE";
	case TaskState::FAILED:
		return "FAILED";
	case TaskState::CANCELLED:
		return "CANCELLED";
	}
	return "UNKNOWN";
}

SchedulerStage ToSchedulerStage(const Stage &stage) {
	SchedulerStage result;
	result.id = stage.id;
	result.inputs = stage.inputs;
	result.task_count = static_cast<uint32_t>(stage.tasks.size());
	result.output_kind = stage.output.kind;
	auto has_key = [](const DistributedPipelineTask &task) { return !task.affinity_key.empty(); };
	if (std::any_of(stage.tasks.begin(), stage.tasks.end(), has_key)) {
		for (auto &task : stage.tasks) {
			result.affinity_keys.push_back(task.affinity_key);
		}
	}
	return result;
}

} // namespace duckherder
