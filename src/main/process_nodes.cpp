#include "main/process_nodes.hpp"

#include "codec/aggregate_state.hpp"
#include "worker/worker_database.hpp"

#include "duckdb.hpp"
#include "duckdb/common/exception.hpp"

#include <thread>

namespace duckherder {

class ProcessNodes::NodeConnector : public WorkerConnector {
public:
	explicit NodeConnector(std::shared_ptr<InProcessRegistry> registry_p) : registry(std::move(registry_p)) {
	}
	std::shared_ptr<WorkerService> Connect(const WorkerAddress &address) override {
		auto local = registry->Find(address.id);
		if (!local) {
			throw duckdb::IOException("no worker %s", address.id);
		}
		return local;
	}

private:
	std::shared_ptr<InProcessRegistry> registry;
};

struct ProcessNodes::Server {
	std::string location;
	std::vector<WorkerId> workers;
};

ProcessNodes::ProcessNodes()
    : registry(std::make_shared<InProcessRegistry>()), connector(std::make_shared<NodeConnector>(registry)) {
}

ProcessNodes::~ProcessNodes() {
}

std::string ProcessNodes::StartServer(const std::shared_ptr<Cluster> &cluster, uint16_t port, uint32_t workers) {
	std::lock_guard<std::mutex> guard(lock);
	server = std::make_unique<Server>();
	server->location = "grpc://127.0.0.1:" + std::to_string(port);
	for (uint32_t i = 0; i < workers; i++) {
		WorkerDatabaseOptions options;
		options.threads = std::max(1U, std::thread::hardware_concurrency() / std::max(1U, workers));
		options.register_functions.push_back(RegisterAggregateStateFunctions);
		WorkerAddress address {"worker-" + std::to_string(i), "inproc"};
		auto node = std::make_shared<WorkerNode>(address, OpenWorkerDatabase(options), connector);
		registry->Register(address.id, node);
		cluster->AddWorker(node->GetInfo());
		server->workers.push_back(address.id);
	}
	return server->location;
}

bool ProcessNodes::StopServer(Cluster &cluster) {
	std::lock_guard<std::mutex> guard(lock);
	if (!server) {
		return false;
	}
	for (auto &id : server->workers) {
		cluster.RemoveWorker(id);
		registry->Unregister(id);
	}
	server.reset();
	return true;
}

std::string ProcessNodes::StartStandaloneWorker(uint16_t) {
	throw duckdb::NotImplementedException("standalone");
}

WorkerInfo ProcessNodes::Probe(const std::string &, const std::string &) {
	throw duckdb::NotImplementedException("probe");
}

std::vector<WorkerInfo> ProcessNodes::WorkersOf(const std::string &, uint16_t) {
	throw duckdb::NotImplementedException("workers of");
}

std::shared_ptr<WorkerConnector> ProcessNodes::Connector() {
	return connector;
}

} // namespace duckherder
