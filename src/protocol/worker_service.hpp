#pragma once

#include "protocol/chunk_source.hpp"
#include "protocol/messages.hpp"

#include <memory>
#include <string>

namespace duckherder {

//! What a worker offers. The same interface stands on both sides of a transport: worker/ implements it, and a
//! transport's client forwards it (then called a channel). All methods are thread-safe, block until done, and throw
//! DuckDB exceptions for failures of the call itself (IOException when the worker cannot be reached).
class WorkerService {
public:
	virtual ~WorkerService() = default;

	//! Runs one attempt to its end. The task's scan reads `feed` (null unless split.fed), which may be in another
	//! process. Failures of the task itself are in the result. Failures of the connection are in it too, as
	//! ErrorKind::UNREACHABLE or ErrorKind::DISCONNECTED: RunTask does not throw.
	virtual TaskResult RunTask(const TaskRequest &request, std::shared_ptr<ChunkSource> feed) = 0;

	//! Opens the output of a finished attempt. Throws IOException when it is not there; over a network that comes with
	//! the first rows.
	virtual std::shared_ptr<ChunkSource> Fetch(const FetchRequest &request,
	                                           const duckdb::vector<duckdb::LogicalType> &types) = 0;

	//! Stops all running attempts of a query and drops its outputs, also those of attempts that arrive later. The call
	//! is idempotent.
	virtual void CancelQuery(const QueryId &query_id) = 0;

	//! Says that the session that runs the query is there and may still need its outputs. Without that, or any other
	//! request of the query, the worker drops the outputs after a while (LEASE_TIMEOUT_MS, unless the worker was told
	//! otherwise). The worker gives up what its tasks of the query still want from the nodes at `lost_locations`.
	virtual void RenewLease(const QueryId &query_id, const std::vector<std::string> &lost_locations) = 0;

	virtual WorkerInfo GetInfo() = 0;

	//! Loads an extension by name or path into the worker's DuckDB.
	virtual void LoadExtension(const std::string &name) = 0;

	//! Asks the worker's process to take no new tasks, and to end once nobody needs it any more. It does not wait for
	//! that. Throws InvalidInputException for a worker that has no process of its own.
	virtual void Drain() = 0;
};

//! Gives the service of a worker, wherever it is. A connector is thread-safe, and shares and reuses its connections.
class WorkerConnector {
public:
	virtual ~WorkerConnector() = default;
	virtual std::shared_ptr<WorkerService> Connect(const WorkerAddress &address) = 0;
	//! Lets calls that run for the query to the node at `location` fail at once, as if the node had hung up. It does
	//! not wait.
	virtual void GiveUp(const QueryId &query_id, const std::string &location) = 0;
};

} // namespace duckherder
