#pragma once

#include "common/clock.hpp"
#include "common/limits.hpp"
#include "protocol/attempt_control.hpp"
#include "protocol/worker_service.hpp"

#include "duckdb.hpp"

#include <atomic>
#include <memory>

namespace duckherder {

struct WorkerNodeOptions {
	//! How long the outputs of a query stay that nobody has asked for
	uint64_t lease_timeout_ms = limits::LEASE_TIMEOUT_MS;
	//! Threads of its DuckDB while it reads remote files; 0: as ThreadCount says
	uint32_t remote_threads = 0;
	std::shared_ptr<Clock> clock = std::make_shared<SteadyClock>();
};

//! A worker: runs tasks on its DuckDB, keeps their outputs, and gives them to the next stage. Everything is
//! thread-safe; RunTask uses the calling thread besides DuckDB's own.
class WorkerNode : public WorkerService, public AttemptControl {
public:
	//! `db` comes from OpenWorkerDatabase. `peers` reaches the other workers; this one's own outputs are read directly.
	WorkerNode(WorkerAddress address, std::shared_ptr<duckdb::DuckDB> db, std::shared_ptr<WorkerConnector> peers,
	           WorkerNodeOptions options = WorkerNodeOptions());
	//! Cancels everything and waits for running tasks, at most SHUTDOWN_WAIT_MS.
	~WorkerNode() override;

	TaskResult RunTask(const TaskRequest &request, std::shared_ptr<ChunkSource> feed) override;
	std::shared_ptr<ChunkSource> Fetch(const FetchRequest &request,
	                                   const duckdb::vector<duckdb::LogicalType> &types) override;
	void CancelQuery(const QueryId &query_id) override;
	void RenewLease(const QueryId &query_id, const std::vector<std::string> &lost_locations) override;
	WorkerInfo GetInfo() override;
	void LoadExtension(const std::string &name) override;
	//! Like SetDraining; the owner finds out by DrainRequested, and ends.
	void Drain() override;
	void StopAttempt(const TaskRequest &request) override;

	//! For a transport that learns its port only after the node exists
	void SetLocation(const std::string &location);
	//! From now on GetInfo says so and new tasks are refused (ErrorKind::DRAINING); running ones go on, outputs stay
	void SetDraining();
	//! Whether Drain was called
	bool DrainRequested() const;
	//! Drops the outputs of queries whose sessions are gone. To be called now and then; tasks that begin do so too.
	void DropExpired();
	//! No task runs and no output is kept
	bool Idle();
	//! The process has reached its memory limit: a running task fails with an out-of-memory error of this text, and
	//! new ones are refused (ErrorKind::OVERLOADED) until this is called with an empty one. To be called again while it
	//! lasts.
	void RelieveMemory(const std::string &error);
	//! DuckDB has made its database invalid after a fatal or internal error: nothing can be done here any more. Running
	//! tasks fail, new ones are refused (ErrorKind::BROKEN), and GetInfo says so.
	bool Broken();
	//! Why, as DuckDB says
	std::string BrokenBy();

private:
	class State;
	//! Shared with running tasks, so that one that outlives the bounded wait of the destructor does no harm
	std::shared_ptr<State> state;
	std::atomic<bool> drain_requested {false};
};

} // namespace duckherder
