#pragma once

#include "extension/local_nodes.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace duckherder {

class FlightNode;
class HttpServer;
class TraceExporter;
class ServedNodes;
struct FlightClientSettings;

//! The nodes of a process that has loaded the extension: an embedded driver with its workers, standalone workers,
//! those that it serves as the program does, and connections to nodes elsewhere. Nothing is started, and no token file
//! made, before it is needed.
class ProcessNodes : public LocalNodes {
public:
	ProcessNodes();
	//! Nodes elsewhere are reached with these, which otherwise come from the environment
	explicit ProcessNodes(const FlightClientSettings &settings);
	~ProcessNodes() override;

	std::string StartServer(const std::shared_ptr<Cluster> &cluster, const std::shared_ptr<DatabaseService> &database,
	                        uint16_t port, uint32_t workers) override;
	bool StopServer(Cluster &cluster) override;
	bool ServerRuns() override;
	std::string StartPages(DatabaseState &state, const std::shared_ptr<DatabaseService> &database,
	                       uint16_t port) override;
	bool StopPages() override;
	void SendTraces(const std::shared_ptr<QueryRecorder> &recorder, const std::string &endpoint,
	                std::function<void(const std::string &)> say) override;
	void StopTraces() override;
	std::string StartStandaloneWorker(uint16_t port) override;
	std::vector<NodeParameter> ParametersOf(NodeKind kind) override;
	ServedNode ServeDriver(duckdb::DatabaseInstance &database, DatabaseState &state,
	                       const NodeArguments &arguments) override;
	ServedNode ServeWorker(const NodeArguments &arguments, const std::function<bool()> &interrupted) override;
	std::vector<ServedNode> StopServing(const std::function<bool()> &interrupted) override;
	void EndServing() override;
	WorkerInfo Probe(const WorkerId &id, const NodeAddress &address) override;
	std::shared_ptr<DriverService> DriverAt(const NodeAddress &address) override;
	std::shared_ptr<DatabaseService> DatabaseAt(const RemoteAddress &address) override;
	std::shared_ptr<WorkerConnector> Connector() override;
	void UseTokenFile(const std::string &path) override;

private:
	//! Calls workers of this process directly and others by Flight
	class NodeConnector;
	//! A listening port and the workers behind it
	struct Server;

	//! Those that it was given: their files are not read again
	FlightClientSettings Settings() const;
	//! The file that UseTokenFile has named
	std::optional<std::string> NamedTokenFile() const;
	//! Makes the token's file if the process is the first to need it
	std::string OwnToken() const;
	//! Listens with the process's token
	std::unique_ptr<FlightNode> Listen(uint16_t port) const;

	const std::unique_ptr<const FlightClientSettings> given;
	std::shared_ptr<NodeConnector> connector;
	const std::shared_ptr<ServedNodes> served;
	std::mutex lock;
	std::unique_ptr<Server> server;
	std::unique_ptr<HttpServer> pages;
	std::string pages_url;
	std::unique_ptr<TraceExporter> traces;
	std::vector<std::unique_ptr<Server>> standalone;
};

} // namespace duckherder
