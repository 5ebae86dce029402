#include "scheduler/query_scheduler.hpp"

//! What others may ask of a QueryScheduler; nothing here changes it.
namespace duckherder {

bool QueryScheduler::Ended() const {
	return ended;
}

bool QueryScheduler::AllTasksDone() const {
	return open_tasks == 0 && unsized_stages == 0;
}

bool QueryScheduler::StageDone(StageId stage) const {
	return !stages.at(stage).Unfinished();
}

TaskInfo QueryScheduler::Task(TaskKey key) const {
	auto &record = stages.at(key.stage).tasks.at(key.task);
	TaskInfo info;
	info.task = key;
	info.state = record.state;
	info.attempts = record.attempts;
	info.attempt = record.main.number;
	info.speculated = record.speculative_attempts > 0;
	info.output_available = record.output_available;
	if (record.main.worker != NO_WORKER) {
		info.worker = pool.Name(record.main.worker);
	}
	return info;
}

std::vector<TaskOutput> QueryScheduler::StageOutputs(StageId id) const {
	auto &stage = stages.at(id);
	std::vector<TaskOutput> outputs;
	outputs.reserve(stage.available);
	for (TaskId task = 0; task < stage.tasks.size(); task++) {
		auto &record = stage.tasks[task];
		if (record.output_available) {
			outputs.push_back(TaskOutput {task, record.main.number, pool.Name(record.main.worker)});
		}
	}
	return outputs;
}

uint64_t QueryScheduler::StageOutputsVersion(StageId stage) const {
	return stages.at(stage).outputs_version;
}

uint32_t QueryScheduler::TaskCount(StageId stage) const {
	return stages.at(stage).plan.task_count;
}

bool QueryScheduler::IsSized(StageId stage) const {
	return stages.at(stage).sized;
}

uint32_t QueryScheduler::StageCount() const {
	return static_cast<uint32_t>(stages.size());
}

uint32_t QueryScheduler::DoneTasks() const {
	uint64_t done = 0;
	for (auto &stage : stages) {
		done += stage.tasks.size() - stage.open;
	}
	return static_cast<uint32_t>(done);
}

SchedulerStats QueryScheduler::Stats() const {
	auto result = stats;
	result.done_tasks = DoneTasks();
	result.running_tasks = pool.RunningCount();
	return result;
}

double QueryScheduler::Progress() const {
	if (stats.total_tasks == 0) {
		return ended ? 1.0 : 0.0;
	}
	return static_cast<double>(DoneTasks()) / stats.total_tasks;
}

} // namespace duckherder
