#pragma once

#include "protocol/worker_service.hpp"
#include "worker/connection_pool.hpp"
#include "worker/input_source.hpp"
#include "worker/output_store.hpp"
#include "worker/thread_count.hpp"
#include "worker/task_table.hpp"

#include "duckdb.hpp"

#include <memory>

namespace duckherder {

//! Runs task attempts on a worker's DuckDB, each from its request to its finished output. Thread-safe.
class TaskRunner {
public:
	//! Everything must outlive the runner. `peers` reaches other workers; outputs of `id` itself come from `outputs`.
	TaskRunner(WorkerId id, std::shared_ptr<duckdb::DuckDB> db, std::shared_ptr<WorkerConnector> peers,
	           ConnectionPool &connections, OutputStore &outputs, ThreadCount &threads);

	//! Runs one attempt to its end on the calling thread and DuckDB's. Does not throw: see TaskResult::error.
	TaskResult Run(RunningTask &task, const TaskRequest &request, std::shared_ptr<ChunkSource> feed);

private:
	//! What the attempt reads and what became of it, beyond its connection
	struct Inputs {
		duckdb::shared_ptr<TaskInputs> scans;
		std::shared_ptr<LostInput> lost;
		std::shared_ptr<std::atomic<uint64_t>> fed_rows;
		//! By scan filters
		std::shared_ptr<std::atomic<uint64_t>> pruned_rows;
		std::shared_ptr<TaskMeasures> measures;
	};

	void ConnectInputs(Inputs &inputs, const TaskRequest &request, std::shared_ptr<ChunkSource> feed);
	std::shared_ptr<ChunkSource> OpenStage(const TaskRequest &request, const StageInput &input,
	                                       const duckdb::vector<duckdb::LogicalType> &types,
	                                       std::shared_ptr<LostInput> lost, std::shared_ptr<TaskMeasures> measures);
	//! Throws whatever goes wrong
	std::shared_ptr<OutputBuffer> Execute(RunningTask &task, const TaskRequest &request, const Inputs &inputs);
	std::shared_ptr<OutputBuffer> ExecuteOn(duckdb::ClientContext &context, RunningTask &task,
	                                        const TaskRequest &request, const Inputs &inputs);
	TaskError ErrorOf(const RunningTask &task, const Inputs &inputs, const duckdb::ErrorData &error);

	const WorkerId id;
	std::shared_ptr<duckdb::DuckDB> db;
	std::shared_ptr<WorkerConnector> peers;
	ConnectionPool &connections;
	OutputStore &outputs;
	ThreadCount &threads;
};

} // namespace duckherder
