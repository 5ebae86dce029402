#pragma once

#include "client/attach.hpp"
#include "cluster/cluster.hpp"
#include "protocol/node_address.hpp"
#include "protocol/worker_service.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace duckherder {

class DatabaseState;

//! Nodes that this process can start and reach. main/ implements it, since only main may know both the driver's and
//! the worker's side. Thread-safe; methods throw DuckDB exceptions with what to do about them.
class LocalNodes {
public:
	virtual ~LocalNodes() = default;

	//! Opens the driver's port (0: a free one) and puts `workers` workers into `cluster`. Returns grpc://host:port.
	//! Others may attach `database` there.
	virtual std::string StartServer(const std::shared_ptr<Cluster> &cluster,
	                                const std::shared_ptr<DatabaseService> &database, uint16_t port,
	                                uint32_t workers) = 0;
	//! Ends server and workers; says whether there was one. Their queries fail.
	virtual bool StopServer(Cluster &cluster) = 0;
	//! Whether StartServer has started one that still runs.
	virtual bool ServerRuns() = 0;
	//! Serves the pages of this process's database at that port (0: a free one) of this machine alone, and returns
	//! their URL. `database`: for statements that are typed there.
	virtual std::string StartPages(DatabaseState &state, const std::shared_ptr<DatabaseService> &database,
	                               uint16_t port) = 0;
	//! Says whether there were some.
	virtual bool StopPages() = 0;
	//! A worker that other drivers can register. Returns its location.
	virtual std::string StartStandaloneWorker(uint16_t port) = 0;
	//! Asks the worker at `location` who it is; IOException if it cannot be reached.
	virtual WorkerInfo Probe(const WorkerId &id, const NodeAddress &address) = 0;
	//! Another driver; the network is first used by a call.
	virtual std::shared_ptr<DriverService> DriverAt(const NodeAddress &address) = 0;
	//! The database of another driver; the network is first used by a call.
	virtual std::shared_ptr<DatabaseService> DatabaseAt(const RemoteAddress &address) = 0;
	virtual std::shared_ptr<WorkerConnector> Connector() = 0;
	//! From now on nodes are reached with the token in that file; empty: as if none had been named. Throws what reading
	//! it throws, and then changes nothing.
	virtual void UseTokenFile(const std::string &path) = 0;
};

} // namespace duckherder
