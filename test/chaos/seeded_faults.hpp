#pragma once

#include "protocol/messages.hpp"
#include "protocol/worker_service.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace duckherder {

//! Faults of tasks and of outputs that are read, chosen by a seed. What happens to an attempt depends on the seed and
//! on which attempt it is, not on when it runs or where, so that a seed does the same to a query again as far as the
//! query's plan and the attempts that it needs are the same. Thread-safe.
class SeededFaults {
public:
	//! `text`: "SEED PERCENT", how many of the attempts and of the reads something happens to; empty: none
	explicit SeededFaults(const std::string &text);

	//! Runs the task with what happens to it: it fails before it begins, its result is lost, or either takes longer.
	TaskResult RunTask(WorkerService &worker, const TaskRequest &request, std::shared_ptr<ChunkSource> feed);
	//! The output with what happens to it: it cannot be opened, breaks off after some chunks, or comes late.
	std::shared_ptr<ChunkSource> Fetch(WorkerService &worker, const FetchRequest &request,
	                                   const duckdb::vector<duckdb::LogicalType> &types);

private:
	//! A number that is the same for the same arguments; 0 if nothing is to happen
	uint64_t Draw(const std::string &what) const;

	uint64_t seed = 0;
	uint64_t percent = 0;
	std::mutex lock;
	//! How often each output was asked for: else a retry would meet the same fault again
	std::map<std::string, uint64_t> reads;
};

} // namespace duckherder
