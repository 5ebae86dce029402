#pragma once

#include "protocol/database_service.hpp"
#include "protocol/driver_service.hpp"
#include "protocol/worker_service.hpp"
#include "transport/flight/known_stages.hpp"
#include "transport/node/action_table.hpp"

#include <map>
#include <memory>
#include <mutex>

namespace duckherder {

//! What a node offers to those that call it. Thread-safe; services come and go while calls run.
class NodeServices {
public:
	void AddWorker(const WorkerId &id, std::shared_ptr<WorkerService> worker);
	void RemoveWorker(const WorkerId &id);
	//! Null takes it away, as does the next one.
	void SetDriver(std::shared_ptr<DriverService> driver);
	void SetDatabase(std::shared_ptr<DatabaseService> database);

	//! Each throws IOException if there is none here. A node with one worker finds it by any id.
	std::shared_ptr<WorkerService> Worker(const WorkerId &id);
	std::shared_ptr<DriverService> Driver();
	std::shared_ptr<DatabaseService> Database();

private:
	std::mutex lock;
	std::map<WorkerId, std::shared_ptr<WorkerService>> workers;
	std::shared_ptr<DriverService> driver;
	std::shared_ptr<DatabaseService> database;
};

//! All actions, by the services. Both arguments must outlive the table.
ActionTable ActionsOf(NodeServices &services, KnownStages &known_stages);

} // namespace duckherder
