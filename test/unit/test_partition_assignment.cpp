#include "scheduler/partition_assignment.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace duckherder {

namespace {

using Bytes = std::vector<std::vector<uint64_t>>;

//! How often each (stage, producing task, partition) is read
std::map<std::tuple<StageId, TaskId, uint32_t>, uint32_t> CountReads(const std::vector<PartitionedInput> &inputs,
                                                                     const std::vector<PartitionTask> &tasks) {
	std::map<std::tuple<StageId, TaskId, uint32_t>, uint32_t> result;
	for (auto &task : tasks) {
		for (auto partition = task.partition; partition < task.partition + task.partition_count; partition++) {
			for (auto &input : inputs) {
				for (TaskId producer = 0; producer < input.bytes.size(); producer++) {
					if (!task.slice || task.slice->Contains(input.stage, producer)) {
						result[{input.stage, producer, partition}]++;
					}
				}
			}
		}
	}
	return result;
}

} // namespace

TEST(PartitionAssignment, EvenPartitionsGetATaskEach) {
	std::vector<PartitionedInput> inputs {{0, Bytes(3, std::vector<uint64_t>(6, 100)), true}};
	EXPECT_EQ(AssignPartitions(inputs, 6, {6, 1}).size(), 6U);
	EXPECT_EQ(AssignPartitions(inputs, 6, {3, 1}).size(), 3U);
}

TEST(PartitionAssignment, SmallNeighboursGoTogether) {
	std::vector<PartitionedInput> inputs {{0, {{10, 10, 10, 10}}, false}, {1, {{0, 5, 0, 0}}, false}};
	auto tasks = AssignPartitions(inputs, 4, {4, 1000});
	ASSERT_EQ(tasks.size(), 1U);
	EXPECT_EQ(tasks[0].partition_count, 4U);
	EXPECT_EQ(tasks[0].bytes, 45U);
}

TEST(PartitionAssignment, NoBytesAreOneTask) {
	std::vector<PartitionedInput> inputs {{0, Bytes(5, std::vector<uint64_t>(8, 0)), true}};
	auto tasks = AssignPartitions(inputs, 8, {4, 0});
	ASSERT_EQ(tasks.size(), 1U);
	EXPECT_EQ(tasks[0].partition_count, 8U);
}

TEST(PartitionAssignment, SkewIsCutAlongTheProducers) {
	// 90 % in partition 1, from twelve tasks
	std::vector<PartitionedInput> inputs {{3, Bytes(12, {10, 900, 30, 20, 30, 10}), true},
	                                      {4, {{5, 5, 5, 5, 5, 5}}, true}};
	auto tasks = AssignPartitions(inputs, 6, {6, 1});
	ASSERT_GT(tasks.size(), 6U);
	uint64_t largest = 0;
	for (auto &task : tasks) {
		largest = std::max(largest, task.bytes);
		if (task.slice) {
			EXPECT_EQ(task.slice->stage, 3U);
			EXPECT_EQ(task.partition, 1U);
		}
	}
	EXPECT_LE(largest, 2005U);
}

TEST(PartitionAssignment, WhatMayNotBeSlicedStaysWhole) {
	std::vector<PartitionedInput> inputs {{0, Bytes(12, {1, 1000}), false}};
	for (auto &task : AssignPartitions(inputs, 2, {4, 1})) {
		EXPECT_FALSE(task.slice);
	}
}

TEST(PartitionAssignment, AnythingIsReadOnce) {
	std::mt19937 random(1);
	for (int round = 0; round < 2000; round++) {
		auto partitions = 1 + random() % 12;
		std::vector<PartitionedInput> inputs;
		for (StageId stage = 0; stage < 1 + random() % 3; stage++) {
			PartitionedInput input {stage, Bytes(1 + random() % 9, std::vector<uint64_t>(partitions)),
			                        random() % 2 == 0};
			for (auto &task : input.bytes) {
				for (auto &bytes : task) {
					bytes = random() % 3 == 0 ? 0 : random() % (random() % 5 == 0 ? 100000 : 100);
				}
			}
			inputs.push_back(std::move(input));
		}
		auto tasks = AssignPartitions(inputs, partitions, {static_cast<uint32_t>(1 + random() % 8), random() % 300});
		std::map<uint32_t, std::set<StageId>> sliced;
		std::map<uint32_t, uint32_t> tasks_of;
		uint32_t next = 0;
		for (auto &task : tasks) {
			// in order, without gaps
			ASSERT_TRUE(task.partition == next || (task.slice && task.partition + 1 == next));
			next = task.partition + task.partition_count;
			tasks_of[task.partition]++;
			if (task.slice) {
				ASSERT_EQ(task.partition_count, 1U);
				ASSERT_TRUE(inputs[task.slice->stage].may_slice);
				ASSERT_LT(task.slice->first_task, task.slice->end_task);
				sliced[task.partition].insert(task.slice->stage);
			}
		}
		ASSERT_EQ(next, partitions);
		auto reads = CountReads(inputs, tasks);
		for (auto &input : inputs) {
			for (TaskId producer = 0; producer < input.bytes.size(); producer++) {
				for (uint32_t partition = 0; partition < partitions; partition++) {
					auto &slicing = sliced[partition];
					auto beside = !slicing.empty() && slicing.count(input.stage) == 0;
					ASSERT_LE(slicing.size(), 1U);
					auto expected = beside ? tasks_of[partition] : 1;
					ASSERT_EQ((reads[{input.stage, producer, partition}]), expected);
				}
			}
		}
	}
}

} // namespace duckherder
