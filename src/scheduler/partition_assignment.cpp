#include "scheduler/partition_assignment.hpp"

#include <algorithm>

namespace duckherder {

namespace {

//! A partition is cut only if it is this many times what a task should have: less would not be seen
constexpr double CUT_FROM = 1.5;
//! Neighbours may be this much more together than a task should have: two halves rarely are exactly one
constexpr double JOIN_UP_TO = 1.2;

uint64_t BytesOf(const PartitionedInput &input, uint32_t partition) {
	uint64_t result = 0;
	for (auto &task : input.bytes) {
		result += task[partition];
	}
	return result;
}

//! Cuts [0, tasks) of `input` into at most `count` ranges of about the same bytes
std::vector<PartitionTask> CutByTasks(const PartitionedInput &input, uint32_t partition, uint64_t bytes, uint64_t count,
                                      uint64_t bytes_beside) {
	std::vector<PartitionTask> result;
	uint64_t before = 0;
	TaskId first = 0;
	auto tasks = static_cast<TaskId>(input.bytes.size());
	for (TaskId task = 0; task < tasks; task++) {
		before += input.bytes[task][partition];
		// the border that the next range starts at is reached, or there is no more to come
		auto reached = before * count >= bytes * (result.size() + 1);
		if (!reached && task + 1 < tasks) {
			continue;
		}
		PartitionTask slice;
		slice.partition = partition;
		slice.slice = OutputSlice {input.stage, first, task + 1};
		slice.bytes = bytes_beside;
		for (auto i = first; i <= task; i++) {
			slice.bytes += input.bytes[i][partition];
		}
		result.push_back(slice);
		first = task + 1;
		if (before == bytes) {
			// what follows is empty, but belongs to somebody
			result.back().slice->end_task = tasks;
			break;
		}
	}
	return result;
}

class Assigner {
public:
	Assigner(const std::vector<PartitionedInput> &inputs, uint32_t partition_count, const AssignmentOptions &options)
	    : inputs(inputs) {
		for (uint32_t partition = 0; partition < partition_count; partition++) {
			uint64_t bytes = 0;
			for (auto &input : inputs) {
				bytes += BytesOf(input, partition);
			}
			sizes.push_back(bytes);
			total += bytes;
		}
		target = std::max<uint64_t>({total / std::max<uint32_t>(options.wanted_tasks, 1), options.min_task_bytes, 1});
	}

	std::vector<PartitionTask> Run() {
		for (uint32_t partition = 0; partition < sizes.size(); partition++) {
			if (!Cut(partition)) {
				Join(partition);
			}
		}
		if (tasks.empty()) {
			tasks.emplace_back();
		}
		return std::move(tasks);
	}

private:
	bool Cut(uint32_t partition) {
		if (static_cast<double>(sizes[partition]) < CUT_FROM * static_cast<double>(target)) {
			return false;
		}
		const PartitionedInput *largest = nullptr;
		uint64_t largest_bytes = 0;
		for (auto &input : inputs) {
			auto bytes = input.may_slice ? BytesOf(input, partition) : 0;
			if (bytes > largest_bytes) {
				largest = &input;
				largest_bytes = bytes;
			}
		}
		// each slice reads what is beside it: it should be worth that
		auto beside = sizes[partition] - largest_bytes;
		auto slice_bytes = std::max(target > beside ? target - beside : 0, beside);
		slice_bytes = std::max<uint64_t>(slice_bytes, target / 2);
		auto count = largest ? (largest_bytes + slice_bytes - 1) / slice_bytes : 0;
		if (count < 2) {
			return false;
		}
		auto slices = CutByTasks(*largest, partition, largest_bytes, count, beside);
		if (slices.size() < 2) {
			return false;
		}
		tasks.insert(tasks.end(), slices.begin(), slices.end());
		return true;
	}

	void Join(uint32_t partition) {
		auto bytes = sizes[partition];
		if (!tasks.empty() && !tasks.back().slice) {
			auto &last = tasks.back();
			auto fits = static_cast<double>(last.bytes + bytes) <= JOIN_UP_TO * static_cast<double>(target);
			if (fits || bytes == 0) {
				last.partition_count++;
				last.bytes += bytes;
				return;
			}
		}
		PartitionTask task;
		task.partition = partition;
		task.bytes = bytes;
		tasks.push_back(task);
	}

	const std::vector<PartitionedInput> &inputs;
	std::vector<uint64_t> sizes;
	uint64_t total = 0;
	uint64_t target = 1;
	std::vector<PartitionTask> tasks;
};

} // namespace

std::vector<PartitionTask> AssignPartitions(const std::vector<PartitionedInput> &inputs, uint32_t partition_count,
                                            const AssignmentOptions &options) {
	return Assigner(inputs, partition_count, options).Run();
}

} // namespace duckherder
