#pragma once

#include "server/client_sessions.hpp"
#include "history/history_writer.hpp"
#include "coordinator/query_coordinator.hpp"
#include "extension/local_nodes.hpp"

#include "duckdb.hpp"
#include "duckdb/main/client_context_state.hpp"
#include "duckdb/optimizer/optimizer_extension.hpp"

#include <atomic>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace duckherder {

//! Everything of one database instance that has loaded the extension; shared by its connections. Thread-safe.
class DatabaseState {
public:
	explicit DatabaseState(std::shared_ptr<LocalNodes> nodes);
	~DatabaseState();

	const std::shared_ptr<LocalNodes> nodes;
	CoordinatorServices services;

	QueryId NextQueryId();
	//! From now on the workers of that driver are used, and it says which queries may run. Throws if this session has
	//! an extension in another version than a worker.
	void Borrow(duckdb::DatabaseInstance &db, const NodeAddress &address);
	//! The same, but the driver is first asked for the next query, which fails if it is not there: no network is used,
	//! and the driver may start later.
	void BorrowLater(const NodeAddress &address);
	//! From now on this database has only the workers that it was given by other means.
	void StopBorrowing();
	//! Workers that take tasks now; asks the borrowed driver if there is one, at most once per heartbeat interval.
	std::vector<WorkerInfo> ActiveWorkers();
	//! The same, as far as it is known without asking anybody.
	std::vector<WorkerInfo> KnownWorkers();
	//! Queries that workers could run wait so long for the first one; 0: not at all. Any thread may change it.
	void SetWorkerWait(uint64_t wait_ms);
	uint64_t WorkerWaitMs() const;
	//! Waits as long as that until some workers take tasks. Throws InterruptException if the session is interrupted
	//! meanwhile.
	void AwaitWorkers(duckdb::ClientContext &context);
	std::vector<WorkerInfo> ListWorkers();
	//! The same, once those without heartbeats have been asked how they are.
	std::vector<WorkerInfo> AskWorkers();
	//! Says which queries still need their places, and asks the borrowed driver for its list, if there is one; at most
	//! once per heartbeat interval, or once per SUSPECT_LOOK_INTERVAL_MS if it has to be known at once. Throws what
	//! asking it throws.
	void RefreshBorrowed(bool at_once = false);

	//! Waits until the query may run; it then has to be released. Throws InterruptException if the session is
	//! interrupted meanwhile, and what DriverService::AdmitQuery throws.
	void Admit(duckdb::ClientContext &context, const QueryId &query);
	void Release(const QueryId &query);

	void Began(const std::shared_ptr<QueryCoordinator> &coordinator);
	void Ended(const QueryId &query);
	//! Ends a query of this database alone.
	bool KillOwn(const QueryId &query, const std::string &message);
	//! Ends a query of this database, or of a session that borrows its workers. False if there is no such distributed
	//! query, or it has ended.
	bool Kill(const QueryId &query);
	//! Traces of queries are sent to this collector from now on, see LocalNodes::SendTraces; empty: to none. What is
	//! wrong later is in the log of `db`.
	void SendTraces(duckdb::DatabaseInstance &db, const std::string &endpoint);
	//! Asks a worker to end once nobody needs it. Throws InvalidInputException if there is none with that id, and what
	//! asking it throws.
	void DrainWorker(const WorkerId &id);
	//! Takes a lost worker off the list. Throws InvalidInputException if it is not there, or not lost.
	void ForgetWorker(const WorkerId &id);

	//! The records of queries are kept in a file as well from now on, behind those that are there. Not for a state that
	//! others use already. `say` as in HistoryWriter.
	void KeepHistory(std::unique_ptr<HistoryFile> file, std::function<void(const std::string &)> say);
	//! The sessions that clients have at this database, which may end before this
	void SetSessions(const std::shared_ptr<ClientSessions> &sessions);
	std::vector<SessionDescription> ListSessions();
	//! Null if nobody has set them, or they have ended
	std::shared_ptr<ClientSessions> Sessions();
	//! Returns when the file, if there is one, has all that has happened. Throws IOException if it cannot be written.
	void FlushHistory();

private:
	//! What BorrowLater has put off, if it has: throws what asking the driver throws, and then tries again next time
	void BorrowNow();
	//! Workers without heartbeats that took no tasks when they were last asked: whether they do now
	void AskInactiveWorkers();
	//! Who has admitted the query, which is from now on not kept any more; null if nobody has
	std::shared_ptr<DriverService> TakeAdmitted(const QueryId &query);
	WorkerInfo FindWorker(const WorkerId &id);
	//! About queries that run on workers of another driver
	std::vector<QueryReport> ReportsOf(const std::vector<QueryId> &queries) const;

	const std::string id_prefix;
	//! "host:pid", for the pages of a driver whose workers this database borrows
	const std::string process_name;
	std::atomic<uint64_t> next_query {1};
	std::atomic<uint64_t> worker_wait_ms {0};
	std::mutex lock;
	//! Whose workers this database borrows; null: it is its own driver
	std::shared_ptr<DriverService> borrowed;
	//! The driver that is to be asked for the next query; empty: none
	std::optional<NodeAddress> borrowed_later;
	//! By query: who has admitted it
	std::map<QueryId, std::shared_ptr<DriverService>> admitted;
	TimeMs last_refresh = 0;
	TimeMs last_question = 0;
	std::map<QueryId, std::weak_ptr<QueryCoordinator>> running;
	std::unique_ptr<HistoryWriter> history;
	std::weak_ptr<ClientSessions> sessions;
	//! Traces are sent, so that a driver whose workers are borrowed need not
	std::atomic<bool> traced {false};
};

//! A connection's part: what the hooks tell each other, and the coordinators of its running query. DuckDB calls its
//! hooks with the connection's lock held; Coordinator may be called by any thread of the query.
class SessionState : public duckdb::ClientContextState {
public:
	explicit SessionState(std::shared_ptr<DatabaseState> database);
	~SessionState() override;

	static duckdb::shared_ptr<SessionState> Get(duckdb::ClientContext &context,
	                                            const std::shared_ptr<DatabaseState> &database);

	//! Of the statement between the hook before and the hook after DuckDB's optimizer
	struct Planning {
		bool candidate = false;
		bool reads_data = false;
		//! There are workers that would take it: then EXPLAIN says why it stays here
		bool could_run_there = false;
		std::string reason;
		PlannerOptions options;
		//! When the hook before the optimizer was called, by the clock of the services
		uint64_t start_us = 0;
	} planning;

	//! A statement of this connection has started the random numbers anew: what draws from them is expected to be the
	//! same each time
	bool seeded = false;

	//! The running execution of `plan`, started by the first call in a query.
	std::shared_ptr<QueryCoordinator> Coordinator(duckdb::ClientContext &context,
	                                              const std::shared_ptr<DistributedPlan> &plan);
	//! That of the running query if it has been started, null otherwise.
	std::shared_ptr<QueryCoordinator> FindCoordinator(DistributedPlan &plan);
	//! Waits until workers take tasks, as DatabaseState::AwaitWorkers does, and shows the statement as queued. `reason`
	//! is why it stays local if none come.
	void AwaitWorkers(duckdb::ClientContext &context, const std::string &reason);
	//! Remembers that the statement about to run stays local
	void RecordLocal(duckdb::ClientContext &context, const std::string &reason);

	void QueryEnd(duckdb::ClientContext &context, duckdb::optional_ptr<duckdb::ErrorData> error) override;

private:
	//! With the lock held
	void Start(duckdb::ClientContext &context, QueryCoordinator &coordinator);
	//! The record of an execution of `plan`
	QueryRecorder::Entry BeginRecord(duckdb::ClientContext &context, DistributedPlan &plan);
	//! What the records of the ending query say of it
	void Finish(const char *state, const std::string &error);

	std::shared_ptr<DatabaseState> database;
	//! The place of the running query, which may have several plans; empty: none yet
	QueryId admitted;
	std::mutex lock;
	std::map<DistributedPlan *, std::shared_ptr<QueryCoordinator>> running;
	//! A plan may have several gathers, which threads of the query open at the same time: what one is told, all are
	std::map<DistributedPlan *, std::exception_ptr> failed_starts;
	//! Keeps the plans alive as long as coordinators point into them
	std::vector<std::shared_ptr<DistributedPlan>> plans;
	//! The record of a statement that stays local, or that waits for workers or has done so
	QueryRecorder::Entry local;
	uint64_t local_start_us = 0;
};

//! Whether a statement is only prepared, by a call and not by a statement, and not run
bool IsOnlyPrepared(duckdb::ClientContext &context);

//! The record of a query that is about to run
QueryRecord NewRecord(duckdb::ClientContext &context, DatabaseState &database);

} // namespace duckherder
