#include "extension/session_state.hpp"

#include "common/process_name.hpp"
#include "coordinator/trace.hpp"
#include "engine/extension_versions.hpp"
#include "extension/settings.hpp"

#include "duckdb/common/types/uuid.hpp"
#include "duckdb/logging/logger.hpp"

#include <algorithm>
#include <chrono>
#include <future>
#include <thread>
#include <utility>

namespace duckherder {

using namespace duckdb;

static constexpr const char *SESSION_KEY = "duckherder_session";

DatabaseState::DatabaseState(std::shared_ptr<LocalNodes> nodes_p)
    : nodes(std::move(nodes_p)), id_prefix(UUID::ToString(UUID::GenerateRandomUUID()).substr(24)),
      process_name(ProcessName()) {
	services.clock = std::make_shared<SteadyClock>();
	services.cluster = std::make_shared<Cluster>(services.clock);
	services.connector = nodes->Connector();
	services.pool = std::make_shared<DispatchPool>();
	services.affinity = std::make_shared<AffinityMap>();
	services.recorder = std::make_shared<QueryRecorder>();
	services.costs = std::make_shared<MeasuredCosts>();
	services.cluster->OnReport([recorder = services.recorder](const QueryReport &report) {
		recorder->TakeReport(report, Timestamp::GetCurrentTimestamp().value);
	});
	services.refresh_workers = [this](bool at_once) {
		try {
			AskInactiveWorkers();
			RefreshBorrowed(at_once);
		} catch (std::exception &) {
			// a query goes on with the workers it has; planning the next one says that the driver is gone
		}
	};
}

DatabaseState::~DatabaseState() {
	nodes->StopPages();
	nodes->StopTraces();
	nodes->EndServing();
	nodes->StopServer(*services.cluster);
	// its jobs may refer to this
	services.pool->Close();
}

QueryId DatabaseState::NextQueryId() {
	return id_prefix + "-" + std::to_string(next_query++);
}

void DatabaseState::Borrow(DatabaseInstance &db, const NodeAddress &address) {
	auto driver = nodes->DriverAt(address);
	// the first look is part of the call, so that a wrong address is an error here and not later
	auto workers = driver->ListWorkers();
	auto extensions = LoadedExtensions(db);
	for (auto &worker : workers) {
		if (worker.state != WorkerState::LOST) {
			CheckExtensions(extensions, worker);
		}
	}
	services.cluster->ReplaceBorrowed(workers);
	std::lock_guard<std::mutex> guard(lock);
	borrowed_later.reset();
	borrowed = std::move(driver);
	last_refresh = services.clock->NowMs();
}

void DatabaseState::BorrowLater(const NodeAddress &address) {
	std::lock_guard<std::mutex> guard(lock);
	borrowed_later = address;
}

void DatabaseState::BorrowNow() {
	std::optional<NodeAddress> address;
	{
		std::lock_guard<std::mutex> guard(lock);
		address = borrowed_later;
	}
	if (!address) {
		return;
	}
	auto driver = nodes->DriverAt(*address);
	services.cluster->ReplaceBorrowed(driver->ListWorkers());
	std::lock_guard<std::mutex> guard(lock);
	// another query may have done the same, or somebody have named another driver
	if (borrowed_later) {
		borrowed_later.reset();
		borrowed = std::move(driver);
		last_refresh = services.clock->NowMs();
	}
}

void DatabaseState::StopBorrowing() {
	std::lock_guard<std::mutex> guard(lock);
	borrowed_later.reset();
	borrowed.reset();
	services.cluster->ReplaceBorrowed({});
}

void DatabaseState::RefreshBorrowed(bool at_once) {
	BorrowNow();
	std::shared_ptr<DriverService> driver;
	std::vector<QueryId> queries;
	{
		std::lock_guard<std::mutex> guard(lock);
		auto now = services.clock->NowMs();
		if (now - last_refresh < (at_once ? limits::SUSPECT_LOOK_INTERVAL_MS : limits::HEARTBEAT_INTERVAL_MS)) {
			return;
		}
		last_refresh = now;
		driver = borrowed;
		for (auto &entry : admitted) {
			if (entry.second == services.cluster) {
				entry.second->RenewLeases({entry.first});
			} else if (entry.second == driver) {
				queries.push_back(entry.first);
			}
		}
	}
	if (!driver) {
		return;
	}
	if (!queries.empty()) {
		for (auto &query : driver->RenewLeases(queries)) {
			KillOwn(query, "The query was killed at the driver whose workers it uses");
		}
		driver->ReportQueries(ReportsOf(queries));
	}
	services.cluster->ReplaceBorrowed(driver->ListWorkers());
}

void DatabaseState::Admit(ClientContext &context, const QueryId &query) {
	std::shared_ptr<DriverService> driver;
	{
		std::lock_guard<std::mutex> guard(lock);
		driver = borrowed ? borrowed : std::static_pointer_cast<DriverService>(services.cluster);
		admitted[query] = driver;
	}
	try {
		// short at first: an interrupt is noticed between two calls
		uint64_t wait_ms = limits::WAIT_SLICE_MS;
		while (!driver->AdmitQuery(query, id_prefix, wait_ms)) {
			if (context.IsInterrupted()) {
				throw InterruptException();
			}
			wait_ms = std::min(2 * wait_ms, limits::ADMISSION_CALL_WAIT_MS);
		}
	} catch (std::exception &) {
		TakeAdmitted(query);
		try {
			driver->ReleaseQuery(query);
		} catch (std::exception &) {
			// a driver that is gone has no queue
		}
		throw;
	}
}

std::shared_ptr<DriverService> DatabaseState::TakeAdmitted(const QueryId &query) {
	std::lock_guard<std::mutex> guard(lock);
	auto entry = admitted.find(query);
	if (entry == admitted.end()) {
		return nullptr;
	}
	auto driver = std::move(entry->second);
	admitted.erase(entry);
	return driver;
}

void DatabaseState::Release(const QueryId &query) {
	auto driver = TakeAdmitted(query);
	if (!driver) {
		return;
	}
	if (driver == services.cluster) {
		driver->ReleaseQuery(query);
		return;
	}
	// nobody has to wait for the network when the query is over
	services.pool->Submit([driver, query] {
		try {
			driver->ReleaseQuery(query);
		} catch (std::exception &) {
			// then the place is given away after a while
		}
	});
}

std::vector<QueryReport> DatabaseState::ReportsOf(const std::vector<QueryId> &queries) const {
	std::vector<QueryReport> reports;
	services.recorder->ForEach([&](const QueryRecord &record) {
		if (std::find(queries.begin(), queries.end(), record.query_id) != queries.end()) {
			reports.push_back(ReportOf(record, process_name, traced));
		}
	});
	return reports;
}

WorkerInfo DatabaseState::FindWorker(const WorkerId &id) {
	for (auto &worker : ListWorkers()) {
		if (worker.address.id == id) {
			return worker;
		}
	}
	throw InvalidInputException("There is no worker with the id '%s'; FROM duckherder_workers() lists them", id);
}

void DatabaseState::DrainWorker(const WorkerId &id) {
	services.connector->Connect(FindWorker(id).address)->Drain();
}

void DatabaseState::ForgetWorker(const WorkerId &id) {
	auto worker = FindWorker(id);
	if (worker.sends_heartbeats && worker.state != WorkerState::LOST) {
		throw InvalidInputException("The worker '%s' is there, and would register again: drain it", id);
	}
	services.cluster->RemoveWorker(id);
}

std::vector<WorkerInfo> DatabaseState::ActiveWorkers() {
	RefreshBorrowed();
	AskInactiveWorkers();
	return services.cluster->ActiveWorkers();
}

std::vector<WorkerInfo> DatabaseState::KnownWorkers() {
	return services.cluster->ActiveWorkers();
}

void DatabaseState::SetWorkerWait(uint64_t wait_ms) {
	worker_wait_ms = wait_ms;
}

uint64_t DatabaseState::WorkerWaitMs() const {
	return worker_wait_ms;
}

void DatabaseState::AwaitWorkers(ClientContext &context) {
	struct Awaiting {
		explicit Awaiting(Cluster &cluster_p) : cluster(cluster_p) {
			cluster.NoteAwaitingWorkers(true);
		}
		~Awaiting() {
			cluster.NoteAwaitingWorkers(false);
		}
		Cluster &cluster;
	};
	Awaiting awaiting(*services.cluster);
	auto begin = services.clock->NowMs();
	// the driver may stop to wait meanwhile
	while (ActiveWorkers().empty() && services.clock->NowMs() - begin < worker_wait_ms) {
		if (context.IsInterrupted()) {
			throw InterruptException();
		}
		std::this_thread::sleep_for(std::chrono::milliseconds(limits::WAIT_SLICE_MS));
	}
}

void DatabaseState::AskInactiveWorkers() {
	std::vector<WorkerInfo> inactive;
	for (auto &worker : services.cluster->ListWorkers()) {
		if (worker.state != WorkerState::ACTIVE && !worker.sends_heartbeats) {
			inactive.push_back(worker);
		}
	}
	{
		std::lock_guard<std::mutex> guard(lock);
		auto now = services.clock->NowMs();
		if (inactive.empty() || now - last_question < limits::SUSPECT_LOOK_INTERVAL_MS) {
			return;
		}
		last_question = now;
	}
	std::vector<std::future<void>> answers;
	for (auto &worker : inactive) {
		auto answered = std::make_shared<std::promise<void>>();
		answers.push_back(answered->get_future());
		services.pool->Submit([connector = services.connector, cluster = services.cluster, worker, answered] {
			try {
				auto info = connector->Connect(worker.address)->GetInfo();
				info.address = worker.address;
				cluster->NoteAnswer(info);
			} catch (std::exception &) {
				// it is asked again for a later query
			}
			answered->set_value();
		});
	}
	// one in this process answers at once, and nobody waits for others
	auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(limits::WAIT_SLICE_MS);
	for (auto &answer : answers) {
		answer.wait_until(deadline);
	}
}

std::vector<WorkerInfo> DatabaseState::ListWorkers() {
	RefreshBorrowed();
	return services.cluster->ListWorkers();
}

std::vector<WorkerInfo> DatabaseState::AskWorkers() {
	auto workers = ListWorkers();
	for (auto &worker : workers) {
		if (worker.sends_heartbeats) {
			continue;
		}
		auto address = worker.address;
		try {
			worker = services.connector->Connect(address)->GetInfo();
			worker.address = std::move(address);
		} catch (std::exception &) {
			worker.state = WorkerState::LOST;
		}
	}
	return workers;
}

void DatabaseState::Began(const std::shared_ptr<QueryCoordinator> &coordinator) {
	std::lock_guard<std::mutex> guard(lock);
	running[coordinator->Id()] = coordinator;
}

void DatabaseState::Ended(const QueryId &query) {
	std::shared_ptr<DriverService> driver;
	{
		std::lock_guard<std::mutex> guard(lock);
		running.erase(query);
		driver = borrowed;
	}
	if (!driver) {
		return;
	}
	// nobody has to wait for the network when the query is over
	services.pool->Submit([driver, reports = ReportsOf({query})] {
		try {
			driver->ReportQueries(reports);
		} catch (std::exception &) {
			// then the driver's page does not show the end
		}
	});
}

void DatabaseState::SendTraces(DatabaseInstance &db, const std::string &endpoint) {
	if (endpoint.empty()) {
		nodes->StopTraces();
	} else {
		nodes->SendTraces(services.recorder, endpoint,
		                  [weak = weak_ptr<DatabaseInstance>(db.shared_from_this())](auto &text) {
			                  auto open = weak.lock();
			                  if (!open) {
				                  return;
			                  }
			                  auto &logger = Logger::Get(*open);
			                  if (logger.ShouldLog(TRACE_LOG_TYPE, LogLevel::LOG_WARNING)) {
				                  logger.WriteLog(TRACE_LOG_TYPE, LogLevel::LOG_WARNING, text);
			                  }
		                  });
	}
	traced = !endpoint.empty();
}

bool DatabaseState::Kill(const QueryId &query) {
	auto own = KillOwn(query, "The query was killed by duckherder_kill('" + query + "')");
	return own || services.cluster->KillQuery(query);
}

bool DatabaseState::KillOwn(const QueryId &query, const std::string &message) {
	std::shared_ptr<QueryCoordinator> coordinator;
	{
		std::lock_guard<std::mutex> guard(lock);
		auto entry = running.find(query);
		if (entry != running.end()) {
			coordinator = entry->second.lock();
		}
	}
	return coordinator && coordinator->Kill(message);
}

void DatabaseState::KeepHistory(std::unique_ptr<HistoryFile> file, std::function<void(const std::string &)> say) {
	history = std::make_unique<HistoryWriter>(services.recorder, std::move(file), std::move(say));
}

void DatabaseState::SetSessions(const std::shared_ptr<ClientSessions> &sessions_p) {
	std::lock_guard<std::mutex> guard(lock);
	sessions = sessions_p;
}

std::shared_ptr<ClientSessions> DatabaseState::Sessions() {
	std::lock_guard<std::mutex> guard(lock);
	return sessions.lock();
}

std::vector<SessionDescription> DatabaseState::ListSessions() {
	auto open = Sessions();
	return open ? open->List() : std::vector<SessionDescription>();
}

void DatabaseState::FlushHistory() {
	if (history) {
		history->Flush();
	}
}

bool IsOnlyPrepared(ClientContext &context) {
	return context.transaction.GetActiveQuery() == MAXIMUM_QUERY_ID;
}

QueryRecord NewRecord(ClientContext &context, DatabaseState &database) {
	QueryRecord record;
	record.query_id = database.NextQueryId();
	record.sql = context.GetCurrentQuery();
	record.start_time_us = Timestamp::GetCurrentTimestamp().value;
	record.trace.traceparent = TraceparentOf(context);
	return record;
}

SessionState::SessionState(std::shared_ptr<DatabaseState> database_p) : database(std::move(database_p)) {
}

SessionState::~SessionState() {
	Finish("CANCELLED", "The connection was closed");
}

duckdb::shared_ptr<SessionState> SessionState::Get(ClientContext &context,
                                                   const std::shared_ptr<DatabaseState> &database) {
	return context.registered_state->GetOrCreate<SessionState>(SESSION_KEY, database);
}

std::shared_ptr<QueryCoordinator> SessionState::Coordinator(ClientContext &context,
                                                            const std::shared_ptr<DistributedPlan> &plan) {
	std::lock_guard<std::mutex> guard(lock);
	auto failed = failed_starts.find(plan.get());
	if (failed != failed_starts.end()) {
		std::rethrow_exception(failed->second);
	}
	auto &entry = running[plan.get()];
	if (entry) {
		return entry;
	}
	entry = std::make_shared<QueryCoordinator>(context, *plan, database->services, CoordinatorOptionsOf(context, *plan),
	                                           BeginRecord(context, *plan));
	plans.push_back(plan);
	database->Began(entry);
	try {
		Start(context, *entry);
	} catch (...) {
		failed_starts[plan.get()] = std::current_exception();
		throw;
	}
	return entry;
}

std::shared_ptr<QueryCoordinator> SessionState::FindCoordinator(DistributedPlan &plan) {
	std::lock_guard<std::mutex> guard(lock);
	auto entry = running.find(&plan);
	return entry == running.end() ? nullptr : entry->second;
}

void SessionState::Start(ClientContext &context, QueryCoordinator &coordinator) {
	if (admitted.empty()) {
		auto &clock = *database->services.clock;
		auto start_us = clock.NowUs();
		coordinator.SetQueued(true, 0);
		database->Admit(context, coordinator.Id());
		admitted = coordinator.Id();
		coordinator.SetQueued(false, clock.NowUs() - start_us);
		coordinator.OnWorkersDone([database = database.get(), query = admitted] { database->Release(query); });
	}
	coordinator.Start();
}

QueryRecorder::Entry SessionState::BeginRecord(ClientContext &context, DistributedPlan &plan) {
	auto describe = [&](QueryRecord &record) {
		record.mode = plan.fully_distributed ? ExecutionMode::DISTRIBUTED : ExecutionMode::PARTIAL;
		record.local_reason = plan.reason;
		record.merge_strategy = plan.merge_strategy;
	};
	if (local) {
		// it has waited for workers
		database->services.recorder->Update(local, describe);
		return std::exchange(local, nullptr);
	}
	auto record = NewRecord(context, *database);
	describe(record);
	record.trace.planning_us = std::exchange(plan.planning_us, 0);
	return database->services.recorder->Begin(std::move(record));
}

void SessionState::AwaitWorkers(ClientContext &context, const std::string &reason) {
	RecordLocal(context, reason);
	auto set_state = [&](const char *state) {
		database->services.recorder->Update(local, [&](QueryRecord &record) { record.state = state; });
	};
	set_state("QUEUED");
	database->AwaitWorkers(context);
	set_state("RUNNING");
}

void SessionState::RecordLocal(ClientContext &context, const std::string &reason) {
	if (IsOnlyPrepared(context)) {
		return;
	}
	if (local) {
		// it has waited for workers
		database->services.recorder->Update(local, [&](QueryRecord &record) { record.local_reason = reason; });
		return;
	}
	auto record = NewRecord(context, *database);
	record.local_reason = reason;
	local_start_us = database->services.clock->NowUs();
	local = database->services.recorder->Begin(std::move(record));
}

void SessionState::QueryEnd(ClientContext &, optional_ptr<ErrorData> error) {
	if (!error || !error->HasError()) {
		Finish("SUCCEEDED", "");
		return;
	}
	// DuckDB interrupts whatever has failed: only the error tells
	Finish(error->Type() == ExceptionType::INTERRUPT ? "CANCELLED" : "FAILED", error->Message());
}

void SessionState::Finish(const char *state, const std::string &error) {
	std::map<DistributedPlan *, std::shared_ptr<QueryCoordinator>> ending;
	{
		std::lock_guard<std::mutex> guard(lock);
		ending.swap(running);
		failed_starts.clear();
	}
	for (auto &entry : ending) {
		entry.second->Finish(state, error);
		database->Ended(entry.second->Id());
	}
	ending.clear();
	plans.clear();
	if (!admitted.empty()) {
		database->Release(admitted);
		admitted.clear();
	}
	if (local) {
		auto duration_us = database->services.clock->NowUs() - local_start_us;
		database->services.recorder->Update(local, [&](QueryRecord &record) {
			record.duration_us = duration_us;
			record.state = state;
			record.error = error;
		});
		local.reset();
	}
}

} // namespace duckherder
