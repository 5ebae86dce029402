#pragma once

#include "coordinator/stage_executions.hpp"
#include "protocol/messages.hpp"
#include "scheduler/query_scheduler.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace duckherder {

//! Says where the tasks of a stage find what they read, and keeps the rows of small outputs, which travel with the
//! requests. Not thread-safe: its owner calls it with a lock held.
class StageInputLocations {
public:
	//! What all tasks of a stage read, for as long as those outputs are where they are
	struct Shared {
		std::vector<uint64_t> output_versions;
		//! TaskRequest::stage_version
		uint32_t number = 0;
		std::shared_ptr<const StageInputs> inputs;
	};
	using Rows = std::shared_ptr<const std::vector<std::string>>;
	using AddressOf = std::function<const WorkerAddress &(const WorkerId &)>;

	//! An output that came with its result, one string for each partition. It is fetched from its worker instead if
	//! there are none, or those of the query would be more than INLINE_QUERY_BYTES_MAX.
	void KeepRows(TaskKey task, Attempt attempt, std::vector<std::string> partitions);
	//! Null if the output has to be fetched
	Rows FindRows(TaskKey task, Attempt attempt) const;
	const Shared &Of(StageId stage, const StageExecutions &stages, const QueryScheduler &scheduler,
	                 const AddressOf &address_of);

private:
	struct KeptRows {
		Attempt attempt = 0;
		Rows partitions;
		uint64_t bytes = 0;
	};
	const KeptRows *Find(TaskKey task, Attempt attempt) const;

	std::map<TaskKey, KeptRows> kept;
	uint64_t kept_bytes = 0;
	std::map<StageId, Shared> shared;
};

} // namespace duckherder
