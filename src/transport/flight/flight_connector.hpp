#pragma once

#include "protocol/driver_service.hpp"
#include "protocol/worker_service.hpp"
#include "transport/flight/actions.hpp"

#include <memory>
#include <string>
#include <type_traits>

namespace duckherder {

struct FlightClientSettings {
	std::string token;
	//! PEM text of the certificates to trust for grpc+tls; empty: the system's
	std::string tls_roots;
	//! PEM texts of what nodes are shown that ask for it; both or neither
	std::string tls_certificate = {};
	std::string tls_key = {};
	//! Where the token is from, for who is refused: "the token in 'FILE'"; empty: it was typed
	std::string token_source = {};
};

class FlightConnections;

//! Reaches workers over the network. Connections are made when needed, shared by all workers and threads with the same
//! location, watched while calls run, and replaced after they broke. Thread-safe.
//!
//! Connect says hello at a new connection: throws IOException "cannot reach worker W at L: ..." within
//! CONNECT_TIMEOUT_MS, PermissionException if the token is wrong, InvalidInputException if versions differ.
//! Of the services it returns: RunTask never throws; the others throw the error of the other side with its DuckDB
//! class, or IOException if the connection is at fault. They stay valid when the connector is gone.
class FlightConnector : public WorkerConnector {
public:
	explicit FlightConnector(FlightClientSettings settings);
	~FlightConnector() override;

	std::shared_ptr<WorkerService> Connect(const WorkerAddress &address) override;
	void GiveUp(const QueryId &query_id, const std::string &location) override;

private:
	std::shared_ptr<FlightConnections> connections;
};

//! The driver at a location. Thread-safe. Errors as above; connects with each call if it has to.
class FlightDriverClient : public DriverService {
public:
	FlightDriverClient(std::string location, FlightClientSettings settings);
	~FlightDriverClient() override;

	void RegisterWorker(const WorkerInfo &info) override;
	bool Heartbeat(const WorkerInfo &info) override;
	void UnregisterWorker(const WorkerId &id, const std::string &incarnation) override;
	std::vector<WorkerInfo> ListWorkers() override;
	bool AdmitQuery(const QueryId &query, const std::string &session, uint64_t wait_ms) override;
	std::vector<QueryId> RenewLeases(const std::vector<QueryId> &queries) override;
	void ReportQueries(const std::vector<QueryReport> &queries) override;
	void ReleaseQuery(const QueryId &query) override;

private:
	template <class REQUEST, class REPLY>
	REPLY Call(const Action<REQUEST, REPLY> &action, const std::type_identity_t<REQUEST> &request,
	           uint64_t wait_ms = 0);

	std::string location;
	std::shared_ptr<FlightConnections> connections;
};

} // namespace duckherder
