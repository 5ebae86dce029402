#include "history/stage_totals.hpp"

#include <algorithm>

namespace duckherder {

namespace {

void Add(StageTotals &totals, const TaskHistory &task) {
	totals.tasks++;
	totals.running_tasks += task.state == "RUNNING" ? 1 : 0;
	if (task.state != "DONE") {
		return;
	}
	totals.done_tasks++;
	totals.workers.insert(task.worker_id);
	totals.retries += task.attempt;
	totals.table_rows += task.task.has_rows ? task.task.row_end - task.task.row_start : 0;
	totals.input_rows += task.input_rows;
	totals.output_rows += task.output_rows;
	totals.bytes += task.bytes;
	totals.pruned_rows += task.pruned_rows;
	totals.spilled_bytes = std::max(totals.spilled_bytes, task.spilled_bytes);
	totals.duration_us += task.duration_us;
	if (task.start_us) {
		totals.start_us = std::min(totals.start_us.value_or(*task.start_us), *task.start_us);
		totals.end_us = std::max(totals.end_us.value_or(0), *task.start_us + task.duration_us);
	}
	if (!totals.slowest || task.duration_us > totals.slowest->duration_us) {
		totals.slowest = &task;
	}
}

} // namespace

std::map<StageId, StageTotals> AddUpStages(const std::vector<TaskHistory> &tasks) {
	std::map<StageId, StageTotals> result;
	std::map<StageId, std::vector<uint64_t>> durations;
	for (auto &task : tasks) {
		Add(result[task.stage_id], task);
		if (task.state == "DONE") {
			durations[task.stage_id].push_back(task.duration_us);
		}
	}
	for (auto &entry : durations) {
		auto &values = entry.second;
		std::sort(values.begin(), values.end());
		auto middle = values.size() / 2;
		result[entry.first].median_us =
		    values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
	}
	return result;
}

InputRead AddUpReads(const std::vector<TaskHistory> &tasks) {
	InputRead sum;
	for (auto &task : tasks) {
		for (auto &read : task.reads) {
			sum.inline_bytes += read.inline_bytes;
			sum.local_bytes += read.local_bytes;
			sum.network_bytes += read.network_bytes;
		}
	}
	return sum;
}

} // namespace duckherder
