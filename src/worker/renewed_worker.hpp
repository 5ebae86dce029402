#pragma once

#include "worker/worker_node.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace duckherder {

//! A worker in a process that does other things as well, and so cannot end when its database is invalid: another node
//! with a new database, and another incarnation, takes its place. What the former one has put out is gone. Thread-safe.
class RenewedWorker : public WorkerService, public AttemptControl {
public:
	//! `make` is called by any thread, now and whenever the database is invalid, one at a time; what it throws is
	//! thrown by the call that needed it.
	explicit RenewedWorker(std::function<std::shared_ptr<WorkerNode>()> make);

	TaskResult RunTask(const TaskRequest &request, std::shared_ptr<ChunkSource> feed) override;
	std::shared_ptr<ChunkSource> Fetch(const FetchRequest &request,
	                                   const duckdb::vector<duckdb::LogicalType> &types) override;
	void CancelQuery(const QueryId &query_id) override;
	void RenewLease(const QueryId &query_id, const std::vector<std::string> &lost_locations) override;
	WorkerInfo GetInfo() override;
	void LoadExtension(const std::string &name) override;
	//! It ends with the process that it is a part of, and not before.
	void Drain() override;
	void StopAttempt(const TaskRequest &request) override;

private:
	//! One whose database is valid
	std::shared_ptr<WorkerNode> Node();

	const std::function<std::shared_ptr<WorkerNode>()> make;
	std::mutex lock;
	std::shared_ptr<WorkerNode> node;
	//! Each further database gets them too
	std::vector<std::string> extensions;
};

} // namespace duckherder
