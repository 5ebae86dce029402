#pragma once

#include "protocol/messages.hpp"

#include <vector>

namespace duckherder {

//! What a driver offers to workers and to sessions that borrow its workers. Thread-safe.
class DriverService {
public:
	virtual ~DriverService() = default;
	//! Throws InvalidInputException naming both versions if the worker's DuckDB or protocol differs.
	virtual void RegisterWorker(const WorkerInfo &info) = 0;
	//! Returns false if the worker is not known (the driver restarted): it registers again.
	virtual bool Heartbeat(const WorkerInfo &info) = 0;
	virtual void UnregisterWorker(const WorkerId &id) = 0;
	virtual std::vector<WorkerInfo> ListWorkers() = 0;
	//! Asks for a place among the queries that run at a time, or asks again. Waits for it, at most `wait_ms`; false:
	//! the query still has to wait. Throws ConnectionException if the queue is full, or if it has waited for too long.
	virtual bool AdmitQuery(const QueryId &query, const std::string &session, uint64_t wait_ms) = 0;
	//! These queries have not ended; the places of others are given away after ADMISSION_LEASE_MS.
	virtual void KeepQueries(const std::vector<QueryId> &queries) = 0;
	//! Gives the place away. Idempotent.
	virtual void ReleaseQuery(const QueryId &query) = 0;
};

} // namespace duckherder
