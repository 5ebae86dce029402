#pragma once

#include "protocol/attempt_control.hpp"
#include "protocol/worker_service.hpp"
#include "transport/flight/flight_connections.hpp"

namespace duckherder {

//! A worker at the other end of a connection. Thread-safe.
class RemoteWorker : public WorkerService, public AttemptControl {
public:
	RemoteWorker(WorkerAddress address, std::shared_ptr<FlightConnections> connections);

	//! Throws what WorkerConnector::Connect promises; asks the worker only once per connection.
	void Handshake();

	TaskResult RunTask(const TaskRequest &request, std::shared_ptr<ChunkSource> feed) override;
	std::shared_ptr<ChunkSource> Fetch(const FetchRequest &request,
	                                   const duckdb::vector<duckdb::LogicalType> &types) override;
	void CancelQuery(const QueryId &query_id) override;
	void RenewLease(const QueryId &query_id, const std::vector<std::string> &lost_locations) override;
	WorkerInfo GetInfo() override;
	void LoadExtension(const std::string &name) override;
	void Drain() override;
	//! Hangs up, which the worker notices
	void StopAttempt(const TaskRequest &request) override;

private:
	template <class REQUEST, class REPLY>
	REPLY Call(const Action<REQUEST, REPLY> &action, const std::type_identity_t<REQUEST> &request, uint64_t timeout_ms);
	//! `without_stage`: without what the node knows of the stage. Nothing if it does not know it. `taken`: it has begun
	//! to run the task.
	std::optional<TaskResult> TryRunTask(const std::shared_ptr<FlightConnections::Connection> &connection,
	                                     const TaskRequest &request, const std::shared_ptr<ChunkSource> &feed,
	                                     bool without_stage, bool &taken);

	const WorkerAddress address;
	//! What errors call it
	const std::string peer;
	std::shared_ptr<FlightConnections> connections;
};

} // namespace duckherder
