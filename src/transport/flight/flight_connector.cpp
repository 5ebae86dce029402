#include "transport/flight/flight_connector.hpp"

#include "wire/messages.hpp"
#include "common/limits.hpp"
#include "transport/flight/flight_connections.hpp"
#include "transport/flight/flight_protocol.hpp"
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

std::string FlightDriverClient::Call(const std::string &action, const std::string &body, uint64_t wait_ms) {
	return connections->Call(location, "driver at " + location, action, body, limits::CONNECT_TIMEOUT_MS + wait_ms);
}

void FlightDriverClient::RegisterWorker(const WorkerInfo &info) {
	Call(flight_protocol::REGISTER_WORKER, flight_protocol::Pack({EncodeWorkerInfo(info)}));
}

bool FlightDriverClient::Heartbeat(const WorkerInfo &info) {
	return Call(flight_protocol::HEARTBEAT, flight_protocol::Pack({EncodeWorkerInfo(info)})) == "known";
}

void FlightDriverClient::UnregisterWorker(const WorkerId &id, const std::string &incarnation) {
	Call(flight_protocol::UNREGISTER_WORKER, flight_protocol::Pack({id, incarnation}));
}

std::vector<WorkerInfo> FlightDriverClient::ListWorkers() {
	return DecodeWorkerList(Call(flight_protocol::LIST_WORKERS, flight_protocol::Pack({""})));
}

bool FlightDriverClient::AdmitQuery(const QueryId &query, const std::string &session, uint64_t wait_ms) {
	auto request = flight_protocol::Pack({query, session, std::to_string(wait_ms)});
	return Call(flight_protocol::ADMIT_QUERY, request, wait_ms) == "admitted";
}

void FlightDriverClient::RenewLeases(const std::vector<QueryId> &queries) {
	Call(flight_protocol::RENEW_LEASES, flight_protocol::Pack(queries));
}

void FlightDriverClient::ReleaseQuery(const QueryId &query) {
	Call(flight_protocol::RELEASE_QUERY, flight_protocol::Pack({query}));
}

} // namespace duckherder
