#include "worker/worker_node.hpp"

#include "engine/extension_versions.hpp"
#include "worker/connection_pool.hpp"
#include "worker/output_store.hpp"
#include "worker/task_runner.hpp"
#include "worker/task_table.hpp"
#include "worker/thread_count.hpp"

#include "duckdb/common/types/uuid.hpp"
#include "duckdb/main/config.hpp"
#include "duckdb/main/database.hpp"
#include "duckdb/main/valid_checker.hpp"
#include "duckdb/parser/keyword_helper.hpp"
#include "duckdb/storage/buffer_manager.hpp"

#include <atomic>
#include <mutex>

namespace duckherder {

using namespace duckdb;

namespace {

//! How long the destructor waits for interrupted tasks, ms
constexpr uint64_t SHUTDOWN_WAIT_MS = 10000;

TaskResult Refuse(ErrorKind kind, ExceptionType type, const string &message, const WorkerId &id) {
	TaskResult result;
	result.failed = true;
	result.error.kind = kind;
	result.error.exception_type = Exception::ExceptionTypeToString(type);
	result.error.message = message;
	result.error.worker_id = id;
	return result;
}

} // namespace

class WorkerNode::State {
public:
	State(WorkerAddress address_p, std::shared_ptr<DuckDB> db_p, std::shared_ptr<WorkerConnector> peers_p,
	      WorkerNodeOptions options)
	    : address(std::move(address_p)), db(std::move(db_p)), peers(std::move(peers_p)), connections(db),
	      outputs(std::move(options.clock), options.lease_timeout_ms), threads(*db->instance, options.remote_threads),
	      runner(address.id, db, peers, connections, outputs, threads) {
	}

	std::mutex lock;
	//! The location changes under the lock, the id never
	WorkerAddress address;
	const std::string incarnation = UUID::ToString(UUID::GenerateRandomUUID());
	std::shared_ptr<DuckDB> db;
	std::shared_ptr<WorkerConnector> peers;
	ConnectionPool connections;
	OutputStore outputs;
	TaskTable tasks;
	ThreadCount threads;
	TaskRunner runner;
	std::atomic<bool> draining {false};
	std::atomic<bool> overloaded {false};
};

WorkerNode::WorkerNode(WorkerAddress address, std::shared_ptr<DuckDB> db, std::shared_ptr<WorkerConnector> peers,
                       WorkerNodeOptions options)
    : state(std::make_shared<State>(std::move(address), std::move(db), std::move(peers), std::move(options))) {
}

WorkerNode::~WorkerNode() {
	state->tasks.Close();
	state->tasks.WaitUntilIdle(std::chrono::milliseconds(SHUTDOWN_WAIT_MS));
	state->outputs.DropAll();
}

TaskResult WorkerNode::RunTask(const TaskRequest &request, std::shared_ptr<ChunkSource> feed) {
	// the node may go while the task still runs
	auto node = state;
	auto &id = node->address.id;
	if (!request.worker_incarnation.empty() && request.worker_incarnation != node->incarnation) {
		return Refuse(ErrorKind::REPLACED, ExceptionType::IO, "Worker " + id + " was started again", id);
	}
	if (ValidChecker::IsInvalidated(*node->db->instance)) {
		return Refuse(ErrorKind::BROKEN, ExceptionType::FATAL,
		              "The database of worker " + id + " is invalid and takes no more tasks: " +
		                  ValidChecker::InvalidatedMessage(*node->db->instance),
		              id);
	}
	if (node->overloaded) {
		return Refuse(ErrorKind::OVERLOADED, ExceptionType::OUT_OF_MEMORY,
		              "Worker " + id + " has reached its memory limit and takes no tasks just now", id);
	}
	node->outputs.DropExpired();
	auto task = node->tasks.Begin(request.query_id, {request.stage_id, request.task_id}, request.attempt);
	if (!task) {
		return Refuse(ErrorKind::CANCELLED, ExceptionType::INTERRUPT, "The query was cancelled", id);
	}
	// after the task counts: the process ends once it drains and sees none
	if (node->draining) {
		node->tasks.End(task);
		return Refuse(ErrorKind::DRAINING, ExceptionType::IO, "Worker " + id + " is draining and takes no new tasks",
		              id);
	}
	auto result = node->runner.Run(*task, request, std::move(feed));
	node->tasks.End(task);
	return result;
}

std::shared_ptr<ChunkSource> WorkerNode::Fetch(const FetchRequest &request, const vector<LogicalType> &types) {
	auto output = state->outputs.Get(request.query_id, {request.stage_id, request.task_id}, request.attempt);
	if (!output) {
		throw IOException("Worker %s does not have the output of attempt %llu of task %llu of stage %llu",
		                  state->address.id, idx_t(request.attempt), idx_t(request.task_id), idx_t(request.stage_id));
	}
	if (output->Types() != types) {
		throw InternalException("The output of stage %llu has the types (%s), its consumer expects (%s)",
		                        idx_t(request.stage_id), StringUtil::ToString(output->Types(), ", "),
		                        StringUtil::ToString(types, ", "));
	}
	return output->Open(request.partition, request.partition_count);
}

void WorkerNode::CancelQuery(const QueryId &query_id) {
	// in this order: an attempt that ends in between sees that it was cancelled, and drops its output itself
	state->tasks.CancelQuery(query_id);
	state->outputs.DropQuery(query_id);
}

void WorkerNode::RenewLease(const QueryId &query_id, const std::vector<std::string> &lost_locations) {
	state->outputs.RenewLease(query_id);
	for (auto &location : lost_locations) {
		state->peers->GiveUp(query_id, location);
	}
}

void WorkerNode::DropExpired() {
	state->outputs.DropExpired();
}

bool WorkerNode::Idle() {
	return state->tasks.Count() == 0 && state->outputs.QueryCount() == 0;
}

WorkerInfo WorkerNode::GetInfo() {
	WorkerInfo info;
	{
		std::lock_guard<std::mutex> guard(state->lock);
		info.address = state->address;
	}
	auto &instance = *state->db->instance;
	auto &buffers = BufferManager::GetBufferManager(instance);
	info.state = state->draining ? WorkerState::DRAINING : WorkerState::ACTIVE;
	info.state = Broken() ? WorkerState::BROKEN : info.state;
	info.incarnation = state->incarnation;
	info.duckdb_version = DuckDB::LibraryVersion();
	info.threads = state->threads.Usual();
	info.memory_limit_bytes = buffers.GetMaxMemory();
	info.memory_used_bytes = buffers.GetUsedMemory();
	info.running_tasks = state->tasks.Count();
	info.leased_queries = state->outputs.QueryCount();
	info.kept_bytes = state->outputs.Bytes();
	info.temporary_bytes = buffers.GetUsedSwap();
	info.extensions = LoadedExtensions(instance);
	return info;
}

void WorkerNode::LoadExtension(const std::string &name) {
	Connection connection(*state->db);
	auto quoted = KeywordHelper::WriteQuoted(name, '\'');
	auto result = connection.Query("LOAD " + quoted);
	if (!result->HasError()) {
		return;
	}
	auto is_path = name.find('/') != std::string::npos || name.find('.') != std::string::npos;
	if (is_path || result->GetErrorType() != ExceptionType::IO) {
		result->ThrowError("Worker " + state->address.id + ": ");
	}
	// an extension known by name that nobody has installed on this machine yet
	auto installed = connection.Query("INSTALL " + quoted);
	if (installed->HasError()) {
		installed->ThrowError("Worker " + state->address.id + ": ");
	}
	auto loaded = connection.Query("LOAD " + quoted);
	if (loaded->HasError()) {
		loaded->ThrowError("Worker " + state->address.id + ": ");
	}
}

void WorkerNode::RelieveMemory(const std::string &error) {
	state->overloaded = !error.empty();
	if (!error.empty()) {
		state->tasks.FailOneForMemory(error);
	}
}

bool WorkerNode::Broken() {
	return ValidChecker::IsInvalidated(*state->db->instance);
}

std::string WorkerNode::BrokenBy() {
	return ValidChecker::InvalidatedMessage(*state->db->instance);
}

void WorkerNode::StopAttempt(const TaskRequest &request) {
	state->tasks.CancelAttempt(request.query_id, {request.stage_id, request.task_id}, request.attempt);
}

void WorkerNode::SetLocation(const std::string &location) {
	std::lock_guard<std::mutex> guard(state->lock);
	state->address.location = location;
}

void WorkerNode::Drain() {
	SetDraining();
	drain_requested = true;
}

bool WorkerNode::DrainRequested() const {
	return drain_requested;
}

void WorkerNode::SetDraining() {
	state->draining = true;
}

} // namespace duckherder
