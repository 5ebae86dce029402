#include "worker/renewed_worker.hpp"

#include "duckdb/common/exception.hpp"

#include "wire/errors.hpp"

namespace duckherder {

RenewedWorker::RenewedWorker(std::function<std::shared_ptr<WorkerNode>()> make_p)
    : make(std::move(make_p)), node(make()) {
}

std::shared_ptr<WorkerNode> RenewedWorker::Node() {
	// the former one goes after the lock: its end may wait for its tasks, which end as calls to it do
	std::shared_ptr<WorkerNode> former;
	std::lock_guard<std::mutex> guard(lock);
	if (node->Broken()) {
		former = make();
		for (auto &extension : extensions) {
			former->LoadExtension(extension);
		}
		std::swap(former, node);
	}
	return node;
}

TaskResult RenewedWorker::RunTask(const TaskRequest &request, std::shared_ptr<ChunkSource> feed) {
	try {
		// a task that was running when the database became invalid fails; it does not run here again by itself
		return Node()->RunTask(request, std::move(feed));
	} catch (std::exception &error) {
		TaskResult result;
		result.failed = true;
		result.error = ToTaskError(error, request.worker_id);
		return result;
	}
}

std::shared_ptr<ChunkSource> RenewedWorker::Fetch(const FetchRequest &request,
                                                  const duckdb::vector<duckdb::LogicalType> &types) {
	return Node()->Fetch(request, types);
}

void RenewedWorker::CancelQuery(const QueryId &query_id) {
	Node()->CancelQuery(query_id);
}

void RenewedWorker::RenewLease(const QueryId &query_id, const std::vector<std::string> &lost_locations) {
	Node()->RenewLease(query_id, lost_locations);
}

WorkerInfo RenewedWorker::GetInfo() {
	return Node()->GetInfo();
}

void RenewedWorker::LoadExtension(const std::string &name) {
	Node()->LoadExtension(name);
	std::lock_guard<std::mutex> guard(lock);
	extensions.push_back(name);
}

void RenewedWorker::Drain() {
	throw duckdb::InvalidInputException("This worker is a part of a session's process, which ends it together with its "
	                                    "local server: SELECT duckherder_stop_local_server()");
}

void RenewedWorker::StopAttempt(const TaskRequest &request) {
	Node()->StopAttempt(request);
}

} // namespace duckherder
