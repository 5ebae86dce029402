#include "transport/node/node_services.hpp"

#include "common/limits.hpp"

#include "duckdb/common/exception.hpp"

#include <algorithm>

namespace duckherder {

using duckdb::IOException;

void NodeServices::AddWorker(const WorkerId &id, std::shared_ptr<WorkerService> worker) {
	std::lock_guard<std::mutex> guard(lock);
	workers[id] = std::move(worker);
}

void NodeServices::RemoveWorker(const WorkerId &id) {
	std::lock_guard<std::mutex> guard(lock);
	workers.erase(id);
}

void NodeServices::SetDriver(std::shared_ptr<DriverService> driver_p) {
	std::lock_guard<std::mutex> guard(lock);
	driver = std::move(driver_p);
}

void NodeServices::SetDatabase(std::shared_ptr<DatabaseService> database_p) {
	std::lock_guard<std::mutex> guard(lock);
	database = std::move(database_p);
}

std::shared_ptr<WorkerService> NodeServices::Worker(const WorkerId &id) {
	std::lock_guard<std::mutex> guard(lock);
	auto entry = workers.find(id);
	if (entry != workers.end()) {
		return entry->second;
	}
	if (workers.size() == 1) {
		// who registers a worker by its location may call it what he wants
		return workers.begin()->second;
	}
	std::string known;
	for (auto &worker : workers) {
		known += (known.empty() ? "" : ", ") + worker.first;
	}
	throw IOException("there is no worker %s here%s", id, known.empty() ? known : ", only " + known);
}

std::shared_ptr<DriverService> NodeServices::Driver() {
	std::lock_guard<std::mutex> guard(lock);
	if (!driver) {
		throw IOException("there is no driver here");
	}
	return driver;
}

std::shared_ptr<DatabaseService> NodeServices::Database() {
	std::lock_guard<std::mutex> guard(lock);
	if (!database) {
		throw IOException("there is no database here: only a driver has one");
	}
	return database;
}

namespace {

std::shared_ptr<WorkerService> WorkerFor(NodeServices &services, const WorkerId &id, ActionTable::Caller &caller) {
	auto service = services.Worker(id);
	caller.worker = id;
	return service;
}

void AddWorkerActions(ActionTable &table, NodeServices &services, KnownStages &known_stages) {
	table.Add(actions::GET_INFO, [&services](const WorkerRequest &request, ActionTable::Caller &caller) {
		return WorkerFor(services, request.worker, caller)->GetInfo();
	});
	table.Add(actions::CANCEL_QUERY,
	          [&services, &known_stages](const WorkerQueryRequest &request, ActionTable::Caller &caller) {
		          WorkerFor(services, request.worker, caller)->CancelQuery(request.query);
		          known_stages.DropQuery(request.query);
	          });
	table.Add(actions::RENEW_LEASE, [&services](const RenewLeaseRequest &request, ActionTable::Caller &caller) {
		WorkerFor(services, request.worker, caller)->RenewLease(request.query, request.lost_locations);
	});
	table.Add(actions::LOAD_EXTENSION, [&services](const LoadExtensionRequest &request, ActionTable::Caller &caller) {
		WorkerFor(services, request.worker, caller)->LoadExtension(request.extension);
	});
	table.Add(actions::DRAIN, [&services](const WorkerRequest &request, ActionTable::Caller &caller) {
		WorkerFor(services, request.worker, caller)->Drain();
	});
}

void AddDriverActions(ActionTable &table, NodeServices &services) {
	table.Add(actions::REGISTER_WORKER,
	          [&services](const WorkerInfo &info, auto &) { services.Driver()->RegisterWorker(info); });
	table.Add(actions::HEARTBEAT, [&services](const WorkerInfo &info, auto &) {
		return HeartbeatReply {services.Driver()->Heartbeat(info)};
	});
	table.Add(actions::UNREGISTER_WORKER, [&services](const UnregisterWorkerRequest &request, auto &) {
		services.Driver()->UnregisterWorker(request.worker, request.incarnation);
	});
	table.Add(actions::LIST_WORKERS,
	          [&services](const Nothing &, auto &) { return WorkerList {services.Driver()->ListWorkers()}; });
	table.Add(actions::ADMIT_QUERY, [&services](const AdmitQueryRequest &request, auto &) {
		auto wait_ms = std::min(request.wait_ms, limits::ADMISSION_CALL_WAIT_MS);
		return AdmitQueryReply {services.Driver()->AdmitQuery(request.query, request.session, wait_ms)};
	});
	table.Add(actions::RENEW_LEASES, [&services](const QueriesRequest &request, auto &) {
		return KilledQueries {services.Driver()->RenewLeases(request.queries)};
	});
	table.Add(actions::RELEASE_QUERY,
	          [&services](const QueryRequest &request, auto &) { services.Driver()->ReleaseQuery(request.query); });
	table.Add(actions::REPORT_QUERIES,
	          [&services](const QueryReports &request, auto &) { services.Driver()->ReportQueries(request.queries); });
}

//! What clients of the driver's database may do there is their role's: with READ all their transactions are read only.
void AddSessionActions(ActionTable &table, NodeServices &services) {
	table.Add(actions::OPEN_SESSION, [&services](SessionRequest request, ActionTable::Caller &caller) {
		request.client = caller.peer;
		request.protocol = "ATTACH";
		return services.Database()->OpenSession(request, caller.role);
	});
	table.Add(actions::CLOSE_SESSION, [&services](const SessionCallRequest &request, auto &) {
		services.Database()->CloseSession(request.session);
	});
	table.Add(actions::RENEW_SESSIONS, [&services](const SessionsRequest &request, auto &) {
		return SessionProgress {services.Database()->RenewSessions(request.sessions)};
	});
	table.Add(actions::LIST_CATALOG, [&services](const ListCatalogRequest &request, auto &) {
		return services.Database()->ListCatalog(request.session, request.knows, request.known_version);
	});
	table.Add(actions::DESCRIBE, [&services](const DescribeRequest &request, auto &) {
		return services.Database()->Describe(request.session, request.sql);
	});
	table.Add(actions::ESTIMATE_ROWS, [&services](const SessionCallRequest &request, auto &) {
		return TableEstimates {services.Database()->EstimateRows(request.session)};
	});
	table.Add(actions::COMMIT,
	          [&services](const SessionCallRequest &request, auto &) { services.Database()->Commit(request.session); });
	table.Add(actions::ROLLBACK, [&services](const SessionCallRequest &request, auto &) {
		services.Database()->Rollback(request.session);
	});
}

} // namespace

ActionTable ActionsOf(NodeServices &services, KnownStages &known_stages) {
	ActionTable table;
	AddWorkerActions(table, services, known_stages);
	AddDriverActions(table, services);
	AddSessionActions(table, services);
	return table;
}

} // namespace duckherder
