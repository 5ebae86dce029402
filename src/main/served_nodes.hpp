#pragma once

#include "common/mutex.hpp"
#include "extension/local_nodes.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace duckherder {

//! The nodes that statements have begun to serve in a process that is not our program. The program's code runs here
//! without what would change the process: no handlers of signals, no output, no limit of its memory. Nodes also end
//! when the process does, whatever it still holds. Thread-safe.
class ServedNodes : public std::enable_shared_from_this<ServedNodes> {
public:
	~ServedNodes();

	//! As LocalNodes says of these
	static std::vector<NodeParameter> ParametersOf(NodeKind kind);
	ServedNode ServeDriver(duckdb::DatabaseInstance &database, DatabaseState &state, const NodeArguments &arguments);
	ServedNode ServeWorker(const NodeArguments &arguments, const std::function<bool()> &interrupted);
	std::vector<ServedNode> Stop(const std::function<bool()> &interrupted);
	void End();

	//! The driver's location; empty: there is none
	std::string DriverLocation();

private:
	class Driver;
	class Worker;

	//! From now on the end of the process ends these nodes.
	void EndWithProcess();
	//! Those that have not ended by themselves
	std::vector<std::shared_ptr<Worker>> TakeWorkers();
	std::shared_ptr<Driver> TakeDriver();

	Mutex lock;
	//! Somebody is about to set it
	bool driver_begins GUARDED_BY(lock) = false;
	std::shared_ptr<Driver> driver GUARDED_BY(lock);
	std::vector<std::shared_ptr<Worker>> workers GUARDED_BY(lock);
};

} // namespace duckherder
