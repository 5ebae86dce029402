#pragma once

#include "driver/query_coordinator.hpp"

namespace duckherder {

//! All outputs of a gather stage, one after another in task order; each reader takes the next task that nobody has.
class GatherSource : public ChunkSource {
public:
	GatherSource(std::shared_ptr<QueryCoordinator> coordinator, StageId stage);

	const duckdb::vector<duckdb::LogicalType> &Types() const override;
	duckdb::idx_t MaxReaders() const override;
	std::unique_ptr<ChunkReader> OpenReader() override;

private:
	friend class GatherReader;

	std::shared_ptr<QueryCoordinator> coordinator;
	const StageId stage;
	const TaskId task_count;
	std::atomic<TaskId> next_task {0};
};

} // namespace duckherder
