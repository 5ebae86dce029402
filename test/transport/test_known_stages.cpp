#include "compat/results.hpp"
#include "sample_messages.hpp"

#include "wire/messages.hpp"
#include "transport/flight/known_stages.hpp"

namespace duckherder {
namespace {

TaskRequest Request(StageId stage, uint32_t version = 0, const QueryId &query = "q") {
	auto request = SampleTaskRequest();
	request.query_id = query;
	request.stage_id = stage;
	request.stage_version = version;
	request.fragment = std::make_shared<const std::string>(std::to_string(stage) + std::string(1000, 'x'));
	return request;
}

//! As it comes when only the task was sent
TaskRequest WithoutStage(const TaskRequest &request) {
	return DecodeMessage<TaskRequest>(EncodeTaskRequestWithoutStage(request));
}

bool Knows(KnownStages &stages, const TaskRequest &request) {
	auto without_stage = WithoutStage(request);
	auto known = stages.Complete(without_stage);
	EXPECT_TRUE(!known || without_stage == request);
	return known;
}

TEST(KnownStages, CompletesWhatItHasSeen) {
	KnownStages stages;
	EXPECT_FALSE(Knows(stages, Request(1)));
	stages.Remember(Request(1));
	stages.Remember(Request(2));
	stages.Remember(Request(1, 7));
	stages.Remember(Request(1, 0, "other"));
	auto task = Request(1);
	task.task_id = 99;
	EXPECT_TRUE(Knows(stages, task));
	EXPECT_TRUE(Knows(stages, Request(2)));
	EXPECT_TRUE(Knows(stages, Request(1, 7)));
	EXPECT_FALSE(Knows(stages, Request(1, 8)));
	EXPECT_FALSE(Knows(stages, Request(3)));
	stages.DropQuery("q");
	EXPECT_FALSE(Knows(stages, Request(1)));
	EXPECT_FALSE(Knows(stages, Request(1, 7)));
	EXPECT_TRUE(Knows(stages, Request(1, 0, "other")));
}

TEST(KnownStages, ForgetsWhatWasUsedLongestAgo) {
	KnownStages few(1ULL << 30, 2);
	few.Remember(Request(1));
	few.Remember(Request(2));
	EXPECT_TRUE(Knows(few, Request(1)));
	few.Remember(Request(3));
	EXPECT_FALSE(Knows(few, Request(2)));
	EXPECT_TRUE(Knows(few, Request(1)));
	EXPECT_TRUE(Knows(few, Request(3)));

	KnownStages small(5000, 100);
	for (StageId stage = 0; stage < 100; stage++) {
		small.Remember(Request(stage));
		EXPECT_TRUE(Knows(small, Request(stage)));
	}
	EXPECT_FALSE(Knows(small, Request(90)));
	EXPECT_TRUE(Knows(small, Request(98)));
}

TEST(KnownStages, ATaskAloneIsSmallHoweverMuchItsStageReads) {
	auto request = Request(1);
	auto input = SampleInput(0, ExchangeKind::HASH);
	for (TaskId task = 0; task < 10000; task++) {
		input.outputs.push_back({task, 0, {"worker", "grpc://10.0.0.2:8815"}, nullptr});
	}
	request.inputs = std::make_shared<const StageInputs>(StageInputs {input});
	EXPECT_GT(EncodeMessage(request).size(), 100000U);
	EXPECT_LT(EncodeTaskRequestWithoutStage(request).size(), 1000U);
}

} // namespace
} // namespace duckherder
