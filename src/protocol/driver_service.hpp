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
};

} // namespace duckherder
