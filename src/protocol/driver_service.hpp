#pragma once

#include "protocol/messages.hpp"

#include <vector>

namespace duckherder {

//! In the extra info of the exception by which a driver refuses a worker: why
constexpr const char *REFUSAL_FIELD = "duckherder_refusal";
constexpr const char *ID_TAKEN = "id_taken";

//! What a driver offers to workers and to sessions that borrow its workers. Thread-safe.
class DriverService {
public:
	virtual ~DriverService() = default;
	//! Throws InvalidInputException naming both versions if the worker's DuckDB or protocol differs, and naming both
	//! addresses if another process that lives has the id (its extra info then says ID_TAKEN). A process that was
	//! started again at the same address gets its id at once.
	virtual void RegisterWorker(const WorkerInfo &info) = 0;
	//! Returns false if this incarnation of the worker is not known (the driver restarted, another process has the id):
	//! it registers again.
	virtual bool Heartbeat(const WorkerInfo &info) = 0;
	//! Nothing if another incarnation has the id
	virtual void UnregisterWorker(const WorkerId &id, const std::string &incarnation) = 0;
	virtual std::vector<WorkerInfo> ListWorkers() = 0;
	//! Asks for a place among the queries that run at a time, or asks again. Waits for it, at most `wait_ms`; false:
	//! the query still has to wait. Throws ConnectionException if the queue is full, or if it has waited for too long.
	virtual bool AdmitQuery(const QueryId &query, const std::string &session, uint64_t wait_ms) = 0;
	//! These queries have not ended; the places of others are given away after ADMISSION_LEASE_MS.
	virtual void RenewLeases(const std::vector<QueryId> &queries) = 0;
	//! Gives the place away. Idempotent.
	virtual void ReleaseQuery(const QueryId &query) = 0;
};

} // namespace duckherder
