#include "main/process_nodes.hpp"

#include "engine/aggregate_state.hpp"
#include "main/command_line.hpp"
#include "main/served_nodes.hpp"
#include "transport/flight/flight_connector.hpp"
#include "transport/node/flight_node.hpp"
#include "transport/flight/remote_database.hpp"
#include "transport/in_process/in_process_registry.hpp"
#include "transport/credentials/token.hpp"
#include "transport/http/http_server.hpp"
#include "web/api.hpp"
#include "web/trace_exporter.hpp"
#include "worker/renewed_worker.hpp"
#include "worker/worker_database.hpp"
#include "worker/worker_node.hpp"

#include "duckdb.hpp"
#include "duckdb/common/exception.hpp"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <thread>

namespace duckherder {

using duckdb::InvalidInputException;

namespace {

constexpr const char *TLS_CA_VARIABLE = "DUCKHERDER_TLS_CA";

//! The PEM text of the file that the environment variable names, nothing if it is not set
std::string FileOf(const char *variable, PemKind kind = PemKind::CERTIFICATE) {
	auto path = std::getenv(variable);
	return ReadPemFile(variable, path ? path : "", kind);
}

//! What sessions use for TLS: the certificates to trust, else the system's, and those to show if nodes ask for them
FlightClientSettings ClientSettings(const std::optional<std::string> &token_file) {
	return FlightClientSettings {LoadToken(token_file), FileOf(TLS_CA_VARIABLE), FileOf("DUCKHERDER_TLS_CERT"),
	                             FileOf("DUCKHERDER_TLS_KEY", PemKind::KEY), DescribeTokenFile(token_file)};
}

} // namespace

//! Workers are known here by location and id: ids alone may repeat on other machines
class ProcessNodes::NodeConnector : public WorkerConnector {
public:
	NodeConnector() = default;
	explicit NodeConnector(FlightClientSettings settings_p) : settings(std::move(settings_p)) {
	}

	std::shared_ptr<WorkerService> Connect(const WorkerAddress &address) override {
		auto local = registry.Find(Key(address));
		return local ? local : Remote()->Connect(address);
	}

	void GiveUp(const QueryId &query_id, const std::string &location) override {
		std::lock_guard<std::mutex> guard(lock);
		if (remote) {
			remote->GiveUp(query_id, location);
		}
	}

	std::optional<std::string> TokenFile() {
		std::lock_guard<std::mutex> guard(lock);
		return token_file;
	}

	//! New connections use it; what is connected already stays so
	void UseTokenFile(std::optional<std::string> path) {
		std::lock_guard<std::mutex> guard(lock);
		token_file = std::move(path);
		remote.reset();
	}

	void Add(const WorkerAddress &address, std::shared_ptr<WorkerService> worker) {
		registry.Register(Key(address), std::move(worker));
	}

	void Remove(const WorkerAddress &address) {
		registry.Unregister(Key(address));
	}

private:
	static std::string Key(const WorkerAddress &address) {
		return address.location + "/" + address.id;
	}

	std::shared_ptr<FlightConnector> Remote() {
		std::lock_guard<std::mutex> guard(lock);
		if (!remote) {
			remote = std::make_shared<FlightConnector>(settings ? *settings : ClientSettings(token_file));
		}
		return remote;
	}

	InProcessRegistry registry;
	std::optional<FlightClientSettings> settings;
	std::mutex lock;
	std::optional<std::string> token_file;
	std::shared_ptr<FlightConnector> remote;
};

struct ProcessNodes::Server {
	std::unique_ptr<FlightNode> node;
	std::vector<WorkerAddress> workers;
};

namespace {

std::shared_ptr<RenewedWorker> MakeWorker(const WorkerAddress &address, uint32_t workers,
                                          std::shared_ptr<WorkerConnector> peers) {
	WorkerDatabaseOptions options;
	options.threads = std::max(1U, std::thread::hardware_concurrency() / std::max(1U, workers));
	options.register_functions.push_back(RegisterAggregateStateFunctions);
	return std::make_shared<RenewedWorker>(
	    [=] { return std::make_shared<WorkerNode>(address, OpenWorkerDatabase(options), peers); });
}

} // namespace

ProcessNodes::ProcessNodes() : connector(std::make_shared<NodeConnector>()), served(std::make_shared<ServedNodes>()) {
}

ProcessNodes::ProcessNodes(const FlightClientSettings &settings)
    : given(std::make_unique<const FlightClientSettings>(settings)),
      connector(std::make_shared<NodeConnector>(settings)), served(std::make_shared<ServedNodes>()) {
}

ProcessNodes::~ProcessNodes() {
	for (auto &worker : standalone) {
		worker->node->Stop();
		connector->Remove(worker->workers[0]);
	}
}

FlightClientSettings ProcessNodes::Settings() const {
	return given ? *given : ClientSettings(NamedTokenFile());
}

std::optional<std::string> ProcessNodes::NamedTokenFile() const {
	return connector->TokenFile();
}

std::string ProcessNodes::OwnToken() const {
	return given ? given->token : LoadOrCreateToken(NamedTokenFile());
}

void ProcessNodes::UseTokenFile(const std::string &path) {
	if (given) {
		throw InvalidInputException("This node keeps the token that it was started with (--token-file)");
	}
	auto named = path.empty() ? std::nullopt : std::make_optional(path);
	if (named) {
		LoadToken(named);
	}
	connector->UseTokenFile(std::move(named));
}

std::unique_ptr<FlightNode> ProcessNodes::Listen(uint16_t port) const {
	FlightNodeOptions options;
	options.port = port;
	options.token = OwnToken();
	auto node = std::make_unique<FlightNode>(std::move(options));
	node->Start();
	return node;
}

std::string ProcessNodes::StartServer(const std::shared_ptr<Cluster> &cluster,
                                      const std::shared_ptr<DatabaseService> &database, uint16_t port,
                                      uint32_t workers) {
	std::lock_guard<std::mutex> guard(lock);
	if (server) {
		throw InvalidInputException("A local server is running already at %s: stop it first with "
		                            "duckherder_stop_local_server()",
		                            server->node->Location());
	}
	auto driver = served->DriverLocation();
	if (!driver.empty()) {
		throw InvalidInputException("This database is served by a driver at %s already, which is all that a local "
		                            "server without workers does: CALL duckherder_stop_serving() ends it",
		                            driver);
	}
	auto starting = std::make_unique<Server>();
	starting->node = Listen(port);
	starting->node->SetDriver(cluster);
	starting->node->SetDatabase(database);
	for (uint32_t i = 0; i < workers; i++) {
		WorkerAddress address {"worker-" + std::to_string(i), starting->node->Location()};
		auto worker = MakeWorker(address, workers, connector);
		starting->node->AddWorker(address.id, worker);
		connector->Add(address, worker);
		cluster->AddWorker(worker->GetInfo());
		starting->workers.push_back(std::move(address));
	}
	server = std::move(starting);
	return server->node->Location();
}

bool ProcessNodes::StopServer(Cluster &cluster) {
	std::lock_guard<std::mutex> guard(lock);
	if (!server) {
		return false;
	}
	for (auto &worker : server->workers) {
		cluster.RemoveWorker(worker.id);
		connector->Remove(worker);
	}
	server->node->Stop();
	server.reset();
	return true;
}

bool ProcessNodes::ServerRuns() {
	std::lock_guard<std::mutex> guard(lock);
	return server != nullptr;
}

std::string ProcessNodes::StartPages(DatabaseState &state, const std::shared_ptr<DatabaseService> &database,
                                     uint16_t port) {
	std::lock_guard<std::mutex> guard(lock);
	if (pages) {
		throw InvalidInputException("The pages of this process are at %s already: CALL duckherder_stop_ui() ends them",
		                            pages_url);
	}
	WebNode web;
	web.kind = "session";
	web.database = database;
	HttpServerOptions options {"127.0.0.1", port, KnownTokens(OwnToken(), {}), LoginPage(), false, "", ""};
	auto starting = std::make_unique<HttpServer>(std::move(options), WebRoutes(state, std::move(web)));
	pages_url = starting->Start();
	pages = std::move(starting);
	return pages_url;
}

bool ProcessNodes::StopPages() {
	std::unique_ptr<HttpServer> ending;
	{
		std::lock_guard<std::mutex> guard(lock);
		ending = std::move(pages);
	}
	if (!ending) {
		return false;
	}
	ending->Stop();
	return true;
}

void ProcessNodes::SendTraces(const std::shared_ptr<QueryRecorder> &recorder, const std::string &endpoint,
                              std::function<void(const std::string &)> say) {
	auto starting = std::make_unique<TraceExporter>(recorder, endpoint, std::move(say));
	std::lock_guard<std::mutex> guard(lock);
	traces.swap(starting);
}

void ProcessNodes::StopTraces() {
	std::unique_ptr<TraceExporter> ending;
	std::lock_guard<std::mutex> guard(lock);
	traces.swap(ending);
}

std::string ProcessNodes::StartStandaloneWorker(uint16_t port) {
	auto worker = std::make_unique<Server>();
	worker->node = Listen(port);
	WorkerAddress address {"standalone-" + std::to_string(worker->node->Port()), worker->node->Location()};
	auto node = MakeWorker(address, 1, connector);
	worker->node->AddWorker(address.id, node);
	connector->Add(address, node);
	worker->workers.push_back(std::move(address));
	std::lock_guard<std::mutex> guard(lock);
	standalone.push_back(std::move(worker));
	return standalone.back()->node->Location();
}

std::vector<NodeParameter> ProcessNodes::ParametersOf(NodeKind kind) {
	return ServedNodes::ParametersOf(kind);
}

ServedNode ProcessNodes::ServeDriver(duckdb::DatabaseInstance &database, DatabaseState &state,
                                     const NodeArguments &arguments) {
	if (ServerRuns()) {
		throw InvalidInputException("A local server is running already, which is a driver of this database: SELECT "
		                            "duckherder_stop_local_server() ends it");
	}
	return served->ServeDriver(database, state, arguments);
}

ServedNode ProcessNodes::ServeWorker(const NodeArguments &arguments, const std::function<bool()> &interrupted) {
	return served->ServeWorker(arguments, interrupted);
}

std::vector<ServedNode> ProcessNodes::StopServing(const std::function<bool()> &interrupted) {
	return served->Stop(interrupted);
}

void ProcessNodes::EndServing() {
	served->End();
}

WorkerInfo ProcessNodes::Probe(const WorkerId &id, const NodeAddress &address) {
	auto trusted = given ? given->tls_roots : FileOf(TLS_CA_VARIABLE);
	WorkerAddress worker {id, address.Location(!trusted.empty())};
	auto info = connector->Connect(worker)->GetInfo();
	info.address = std::move(worker);
	return info;
}

std::shared_ptr<DriverService> ProcessNodes::DriverAt(const NodeAddress &address) {
	auto settings = Settings();
	auto location = address.Location(!settings.tls_roots.empty());
	return std::make_shared<FlightDriverClient>(location, std::move(settings));
}

std::shared_ptr<DatabaseService> ProcessNodes::DatabaseAt(const RemoteAddress &address) {
	FlightClientSettings settings;
	if (!address.token.empty()) {
		settings.token = address.token;
	} else {
		auto file = address.token_file.empty() ? NamedTokenFile() : std::make_optional(address.token_file);
		settings.token = given && !file ? given->token : LoadToken(file);
		settings.token_source = given && !file ? given->token_source : DescribeTokenFile(file);
	}
	settings.tls_roots =
	    address.tls_ca.empty() ? FileOf(TLS_CA_VARIABLE) : ReadPemFile("TLS_CA", address.tls_ca, PemKind::CERTIFICATE);
	settings.tls_certificate = FileOf("DUCKHERDER_TLS_CERT");
	settings.tls_key = FileOf("DUCKHERDER_TLS_KEY", PemKind::KEY);
	auto location = address.node.Location(!settings.tls_roots.empty() || address.tls);
	return std::make_shared<RemoteDatabase>(location, settings);
}

std::shared_ptr<WorkerConnector> ProcessNodes::Connector() {
	return connector;
}

} // namespace duckherder
