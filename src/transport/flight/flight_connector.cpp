#include "transport/flight/flight_connector.hpp"

#include "wire/messages.hpp"
#include "common/limits.hpp"
#include "transport/flight/flight_connections.hpp"
#include "transport/flight/remote_worker.hpp"

namespace duckherder {

FlightConnector::FlightConnector(FlightClientSettings settings)
    : connections(std::make_shared<FlightConnections>(std::move(settings))) {
}

FlightConnector::~FlightConnector() = default;

std::shared_ptr<WorkerService> FlightConnector::Connect(const WorkerAddress &address) {
	auto worker = std::make_shared<RemoteWorker>(address, connections);
	worker->Handshake();
	return worker;
}

void FlightConnector::GiveUp(const QueryId &query_id, const std::string &location) {
	connections->calls.Cut(location, query_id);
}

FlightDriverClient::FlightDriverClient(std::string location_p, FlightClientSettings settings)
    : location(std::move(location_p)), connections(std::make_shared<FlightConnections>(std::move(settings))) {
}

FlightDriverClient::~FlightDriverClient() = default;

template <class REQUEST, class REPLY>
REPLY FlightDriverClient::Call(const Action<REQUEST, REPLY> &action, const std::type_identity_t<REQUEST> &request,
                               uint64_t wait_ms) {
	return connections->Call(location, "driver at " + location, action, request, limits::CONNECT_TIMEOUT_MS + wait_ms);
}

void FlightDriverClient::RegisterWorker(const WorkerInfo &info) {
	Call(actions::REGISTER_WORKER, info);
}

bool FlightDriverClient::Heartbeat(const WorkerInfo &info) {
	return Call(actions::HEARTBEAT, info).known;
}

void FlightDriverClient::UnregisterWorker(const WorkerId &id, const std::string &incarnation) {
	Call(actions::UNREGISTER_WORKER, {id, incarnation});
}

std::vector<WorkerInfo> FlightDriverClient::ListWorkers() {
	return Call(actions::LIST_WORKERS, {}).workers;
}

bool FlightDriverClient::AdmitQuery(const QueryId &query, const std::string &session, uint64_t wait_ms) {
	return Call(actions::ADMIT_QUERY, {query, session, wait_ms}, wait_ms).admitted;
}

std::vector<QueryId> FlightDriverClient::RenewLeases(const std::vector<QueryId> &queries) {
	return Call(actions::RENEW_LEASES, {queries}).queries;
}

void FlightDriverClient::ReportQueries(const std::vector<QueryReport> &queries) {
	Call(actions::REPORT_QUERIES, {queries});
}

void FlightDriverClient::ReleaseQuery(const QueryId &query) {
	Call(actions::RELEASE_QUERY, {query});
}

} // namespace duckherder
