#include "scheduler/query_scheduler.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <deque>
#include <string>
#include <variant>
#include <vector>

//! What the scheduler costs by itself: CPU microseconds per task of a query with two stages, from its start to its end.
//! Every task of the second stage reads all outputs of the first; each task has an affinity key; one task in a hundred
//! fails once. Prints a table for docs/benchmarks.md.
namespace duckherder {
namespace {

constexpr int RUNS = 5;
constexpr uint32_t WORKERS[] = {10, 100, 1000};
constexpr uint32_t TASKS[] = {1000, 10000, 100000};
constexpr uint32_t FAILS_EVERY = 100;

double CpuMicroseconds() {
	timespec now {};
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

std::vector<SchedulerStage> TwoStages(uint32_t tasks) {
	std::vector<SchedulerStage> stages(2);
	stages[0].task_count = tasks - tasks / 2;
	stages[0].output_kind = ExchangeKind::HASH;
	for (uint32_t i = 0; i < stages[0].task_count; i++) {
		stages[0].affinity_keys.push_back("/data/lineitem.parquet:" + std::to_string(i));
	}
	stages[1].id = 1;
	stages[1].inputs = {0};
	stages[1].task_count = tasks / 2;
	return stages;
}

//! CPU time of the whole query; exits if it does not end as it should
double RunQuery(uint32_t workers, uint32_t tasks) {
	AffinityMap affinity;
	auto stages = TwoStages(tasks);
	auto begin = CpuMicroseconds();
	QueryScheduler scheduler(std::move(stages), SchedulerConfig(), affinity);
	std::deque<action::StartTask> running;
	auto finished = false;
	TimeMs now = 1;
	TimeMs timer = 0;
	auto handle = [&](const SchedulerEvent &event) {
		for (auto &next : scheduler.Handle(event, now)) {
			if (auto *start = std::get_if<action::StartTask>(&next)) {
				running.push_back(*start);
			} else if (auto *ready = std::get_if<action::TaskReady>(&next)) {
				running.push_back({ready->task, UINT32_MAX, ready->worker});
			} else if (auto *set_timer = std::get_if<action::SetTimer>(&next)) {
				timer = set_timer->at_ms;
			} else if (std::holds_alternative<action::QueryFinished>(next)) {
				finished = true;
			}
		}
	};
	for (uint32_t i = 0; i < workers; i++) {
		handle(event::WorkerJoined {"worker-" + std::to_string(i), 1});
	}
	handle(event::Start {});
	uint64_t ended = 0;
	while (!finished) {
		if (running.empty()) {
			now = timer;
			handle(event::TimerFired {});
			if (running.empty() && timer <= now && !finished) {
				fprintf(stderr, "nothing runs, but the query has not ended\n");
				exit(1);
			}
			continue;
		}
		auto next = running.front();
		running.pop_front();
		if (next.attempt == UINT32_MAX) {
			handle(event::TaskOutputConsumed {next.task});
		} else if (++ended % FAILS_EVERY == 0 && next.attempt == 0) {
			TaskError error;
			error.kind = ErrorKind::WORKER_FAILURE;
			handle(event::TaskFailed {next.task, next.attempt, next.worker, error});
		} else {
			handle(event::TaskSucceeded {next.task, next.attempt, next.worker});
		}
	}
	return CpuMicroseconds() - begin;
}

} // namespace
} // namespace duckherder

int main() {
	using namespace duckherder;
	printf("| workers | tasks | us per task (median of %d) |\n|---:|---:|---:|\n", RUNS);
	for (auto workers : WORKERS) {
		for (auto tasks : TASKS) {
			std::vector<double> costs;
			for (auto run = 0; run < RUNS; run++) {
				costs.push_back(RunQuery(workers, tasks) / tasks);
			}
			std::sort(costs.begin(), costs.end());
			printf("| %u | %u | %.2f |\n", workers, tasks, costs[RUNS / 2]);
		}
	}
	return 0;
}
