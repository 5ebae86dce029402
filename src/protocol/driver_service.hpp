#pragma once

#include "protocol/messages.hpp"

#include <vector>

namespace duckherder {

//! The extra info of the exception by which a driver refuses a worker says under this name why.
constexpr const char *REFUSAL_FIELD = "duckherder_refusal";
constexpr const char *ID_TAKEN = "id_taken";

//! What a driver offers to workers and to sessions that borrow its workers. A service is thread-safe.
class DriverService {
public:
	virtual ~DriverService() = default;
	//! Throws InvalidInputException naming both versions if the worker's DuckDB or protocol differs, and naming both
	//! addresses if another process that lives has the id (its extra info then says ID_TAKEN). A process that was
	//! started again at the same address gets its id at once.
	virtual void RegisterWorker(const WorkerInfo &info) = 0;
	//! Returns false if this incarnation of the worker is not known (the driver restarted, or another process has the
	//! id). The worker then registers again.
	virtual bool Heartbeat(const WorkerInfo &info) = 0;
	//! Does nothing if another incarnation has the id.
	virtual void UnregisterWorker(const WorkerId &id, const std::string &incarnation) = 0;
	virtual std::vector<WorkerInfo> ListWorkers() = 0;
	//! Asks for a place among the queries that run at a time, or asks again. It waits for the place, at most `wait_ms`,
	//! and returns false if the query still has to wait. It throws ConnectionException if the queue is full, or if the
	//! query has waited for too long.
	virtual bool AdmitQuery(const QueryId &query, const std::string &session, uint64_t wait_ms) = 0;
	//! Says that these queries have not ended. The places of others are given away after ADMISSION_LEASE_MS. Returns
	//! those among them that an administrator wants to be ended.
	virtual std::vector<QueryId> RenewLeases(const std::vector<QueryId> &queries) = 0;
	//! Gives the place away. The call is idempotent.
	virtual void ReleaseQuery(const QueryId &query) = 0;
	//! Tells how queries of a session that borrows the workers are. Each report replaces the last one of its query.
	virtual void ReportQueries(const std::vector<QueryReport> &queries) = 0;
};

} // namespace duckherder
