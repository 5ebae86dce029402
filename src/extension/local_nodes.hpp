#pragma once

#include "client/attach.hpp"
#include "cluster/cluster.hpp"
#include "protocol/node_address.hpp"
#include "protocol/worker_service.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace duckherder {

class DatabaseState;
class QueryRecorder;

enum class NodeKind : uint8_t { DRIVER, WORKER };

//! What a statement may say of a node that this process serves
struct NodeParameter {
	enum class Type : uint8_t { TEXT, SWITCH, LIST };
	std::string name;
	Type type = Type::TEXT;
};

//! By the names of parameters. The values of a SWITCH are empty; one that is off is not there.
using NodeArguments = std::map<std::string, std::vector<std::string>>;

//! A node that this process serves, or has served
struct ServedNode {
	NodeKind kind;
	//! Of a worker
	std::string id;
	//! grpc://host:port
	std::string location;
	//! Where its HTTP server is; empty: it has none
	std::string url;
};

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
	//! Sends traces of the recorder's queries to a collector from now on, instead of to another one; throws
	//! InvalidInputException for what is no endpoint. `say` is told what is wrong later.
	virtual void SendTraces(const std::shared_ptr<QueryRecorder> &recorder, const std::string &endpoint,
	                        std::function<void(const std::string &)> say) = 0;
	//! Sends what is left.
	virtual void StopTraces() = 0;
	//! A worker that other drivers can register. Returns its location.
	virtual std::string StartStandaloneWorker(uint16_t port) = 0;
	//! Of ServeDriver or ServeWorker
	virtual std::vector<NodeParameter> ParametersOf(NodeKind kind) = 0;
	//! A driver for that database, as the program's. One for each database.
	virtual ServedNode ServeDriver(duckdb::DatabaseInstance &database, DatabaseState &state,
	                               const NodeArguments &arguments) = 0;
	//! A worker, as the program's, with a database of its own. Waits for its driver, until that is `interrupted`.
	virtual ServedNode ServeWorker(const NodeArguments &arguments, const std::function<bool()> &interrupted) = 0;
	//! Ends what the two have begun, workers first: they drain, until that is `interrupted`. Says what it has ended.
	virtual std::vector<ServedNode> StopServing(const std::function<bool()> &interrupted) = 0;
	//! The same at once: the running tasks of workers fail. When it returns, nothing refers to the DatabaseState.
	virtual void EndServing() = 0;
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
