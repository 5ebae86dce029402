#pragma once

#include "scheduler/query_scheduler.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace duckherder {

//! Builds stages and drives a scheduler by hand: what each event returns stays in `last`.
class SchedulerHarness {
public:
	explicit SchedulerHarness(std::vector<SchedulerStage> stages, SchedulerConfig config = SchedulerConfig())
	    : scheduler(std::move(stages), config, affinity) {
	}

	static SchedulerStage MakeStage(StageId id, uint32_t tasks, std::vector<StageId> inputs = {},
	                                ExchangeKind kind = ExchangeKind::RESULT) {
		SchedulerStage stage;
		stage.id = id;
		stage.task_count = tasks;
		stage.inputs = std::move(inputs);
		stage.output_kind = kind;
		return stage;
	}

	//! Producers 0 (hash) and consumers 1 (gather)
	static std::vector<SchedulerStage> TwoStages(uint32_t producers, uint32_t consumers) {
		return {MakeStage(0, producers, {}, ExchangeKind::HASH), MakeStage(1, consumers, {0})};
	}

	static TaskError Error(ErrorKind kind, const std::string &message = "broken", const WorkerId &lost_worker = "") {
		TaskError error;
		error.kind = kind;
		error.exception_type = "IO";
		error.message = message;
		error.lost_worker = lost_worker;
		return error;
	}

	SchedulerActions &Do(const SchedulerEvent &event) {
		last = scheduler.Handle(event, now);
		return last;
	}
	void Join(const WorkerId &worker, uint32_t slots = 1) {
		Do(event::WorkerJoined {worker, slots});
	}
	void Start(uint32_t workers, uint32_t slots = 1) {
		for (uint32_t i = 0; i < workers; i++) {
			Join(std::string(1, static_cast<char>('a' + i)), slots);
		}
		Do(event::Start {});
	}
	void Succeed(TaskKey task, Attempt attempt, const WorkerId &worker) {
		Do(event::TaskSucceeded {task, attempt, worker});
	}
	//! The running attempt of the task
	void Succeed(TaskKey task) {
		auto info = scheduler.Task(task);
		ASSERT_EQ(info.state, TaskState::RUNNING);
		Succeed(task, info.attempt, info.worker);
	}
	void Fail(TaskKey task, const TaskError &error) {
		auto info = scheduler.Task(task);
		ASSERT_EQ(info.state, TaskState::RUNNING);
		Do(event::TaskFailed {task, info.attempt, info.worker, error});
	}
	//! Lets the last timer set fire
	void FireTimer() {
		auto timers = Of<action::SetTimer>();
		ASSERT_FALSE(timers.empty());
		now = timers.back().at_ms;
		Do(event::TimerFired {});
	}

	template <class ACTION>
	std::vector<ACTION> Of() const {
		std::vector<ACTION> result;
		for (auto &action : last) {
			if (auto found = std::get_if<ACTION>(&action)) {
				result.push_back(*found);
			}
		}
		return result;
	}
	std::vector<action::StartTask> Starts() const {
		return Of<action::StartTask>();
	}
	bool Finished() const {
		return !Of<action::QueryFinished>().empty();
	}
	//! The error of a QueryFailed among the last actions; a kind of USER without message if there is none
	TaskError Failure() const {
		auto failures = Of<action::QueryFailed>();
		return failures.empty() ? TaskError() : failures[0].error;
	}
	WorkerId Where(TaskKey task) const {
		return scheduler.Task(task).worker;
	}
	TaskState State(TaskKey task) const {
		return scheduler.Task(task).state;
	}

	AffinityMap affinity;
	QueryScheduler scheduler;
	SchedulerActions last;
	TimeMs now = 1000;
};

} // namespace duckherder
