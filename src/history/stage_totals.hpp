#pragma once

#include "history/query_recorder.hpp"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace duckherder {

//! What the tasks of one stage add up to. All but `tasks` and `running_tasks` is about those that are done.
struct StageTotals {
	uint64_t tasks = 0;
	uint64_t running_tasks = 0;
	uint64_t done_tasks = 0;
	std::set<std::string> workers;
	uint64_t retries = 0;
	//! In all splits of the scan, as far as the metadata says
	uint64_t table_rows = 0;
	uint64_t input_rows = 0;
	uint64_t output_rows = 0;
	uint64_t bytes = 0;
	uint64_t pruned_rows = 0;
	//! The most that one task has seen: each counts what its worker has on disk, so that a sum would count it several
	//! times
	uint64_t spilled_bytes = 0;
	uint64_t duration_us = 0;
	uint64_t median_us = 0;
	//! Since the query's start: when the first of them began, and the last one ended
	std::optional<uint64_t> start_us;
	std::optional<uint64_t> end_us;
	//! Null: none is done. It points into the tasks that were added up
	const TaskHistory *slowest = nullptr;

	double DurationMs() const {
		return static_cast<double>(duration_us) / 1000;
	}
};

//! By stage; those without tasks are missing.
std::map<StageId, StageTotals> AddUpStages(const std::vector<TaskHistory> &tasks);

//! The bytes that the tasks have read of exchanges, by how they came; the rest of the result means nothing.
InputRead AddUpReads(const std::vector<TaskHistory> &tasks);

} // namespace duckherder
