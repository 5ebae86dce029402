#include "coordinator/query_coordinator.hpp"

#include "wire/errors.hpp"

//! How a coordinator runs one attempt of a task, from its feed to its result.
namespace duckherder {

using duckdb::idx_t;

std::shared_ptr<GuardedFeed> QueryCoordinator::OpenFeed(const TaskRequest &request,
                                                        std::shared_ptr<std::atomic<uint64_t>> pruned) {
	std::vector<FeedFilter> filters;
	duckdb::optional_ptr<FeedScan> scan;
	{
		std::lock_guard<std::mutex> guard(lock);
		for (auto &filter : FiltersOf(request.stage_id)) {
			filters.push_back({filter.column, filter.keys, pruned});
		}
		scan = runs.Feed(request.stage_id);
	}
	auto feed = std::make_shared<GuardedFeed>(scan->Open(request.split, request.task_id, filters));
	std::lock_guard<std::mutex> guard(lock);
	open_feeds[TaskKey {request.stage_id, request.task_id}] = feed;
	if (stopped) {
		feed->Cancel();
	}
	return feed;
}

std::vector<KeySet> QueryCoordinator::DecodeKeys(const TaskRequest &request, const TaskResult &result) const {
	std::vector<KeySet> keys;
	auto &wanted = request.output.collected_keys;
	auto &types = plan.stages[request.stage_id].fragment->types;
	if (result.key_sets.size() != wanted.size()) {
		throw duckdb::IOException("Worker %s collected %llu keys instead of %llu", request.worker_id,
		                          idx_t(result.key_sets.size()), idx_t(wanted.size()));
	}
	for (idx_t i = 0; i < wanted.size(); i++) {
		keys.push_back(KeySet::Decode(result.key_sets[i]));
		if (keys[i].Type() != types[wanted[i].column] || keys[i].Log2Bits() != wanted[i].log2_bits) {
			throw duckdb::IOException("Worker %s collected keys of type %s instead of %s", request.worker_id,
			                          keys[i].Type().ToString(), types[wanted[i].column].ToString());
		}
	}
	return keys;
}

TaskResult QueryCoordinator::TryAttempt(const TaskRequest &request, const WorkerAddress &worker,
                                        std::vector<KeySet> &keys) {
	std::shared_ptr<GuardedFeed> feed;
	try {
		auto pruned = std::make_shared<std::atomic<uint64_t>>(0);
		if (request.split.fed) {
			feed = OpenFeed(request, pruned);
		}
		auto result = CallWorker(request, worker, feed);
		if (result.failed && feed && feed->Error()) {
			feed->Error()->Throw();
		}
		auto partitions = request.output.partition_count;
		auto inlined = result.inline_rows.size();
		if (!result.failed && (result.partition_bytes.size() != partitions || (inlined > 0 && inlined != partitions))) {
			throw duckdb::IOException("Worker %s made %llu partitions instead of %llu", worker.id,
			                          idx_t(result.partition_bytes.size()), idx_t(request.output.partition_count));
		}
		if (!result.failed) {
			keys = DecodeKeys(request, result);
			result.pruned_rows += *pruned;
		}
		return result;
	} catch (std::exception &error) {
		TaskResult result;
		result.failed = true;
		auto by_session = request.split.fed && (!feed || feed->Error());
		result.error = ToTaskError(error, by_session ? "" : worker.id);
		if (by_session && result.error.kind != ErrorKind::CANCELLED) {
			// it would be the same next time, or what was read is gone
			result.error.kind = ErrorKind::USER;
			std::lock_guard<std::mutex> guard(lock);
			feed_failure = feed_failure ? feed_failure : std::make_optional<duckdb::ErrorData>(error);
		}
		return result;
	}
}

TaskResult QueryCoordinator::CallWorker(const TaskRequest &request, const WorkerAddress &worker,
                                        const std::shared_ptr<ChunkSource> &feed) {
	std::shared_ptr<WorkerService> service;
	try {
		service = services.connector->Connect(worker);
	} catch (std::exception &error) {
		TaskResult result;
		result.failed = true;
		result.error = ToTaskError(error, worker.id);
		if (result.error.kind == ErrorKind::WORKER_FAILURE) {
			result.error.kind = ErrorKind::UNREACHABLE;
		}
		return result;
	}
	return service->RunTask(request, feed);
}

void QueryCoordinator::RunAttempt(TaskRequest request, WorkerAddress worker) {
	std::vector<KeySet> keys;
	auto result = TryAttempt(request, worker, keys);
	TaskKey key {request.stage_id, request.task_id};
	std::lock_guard<std::mutex> guard(lock);
	auto counts = scheduler->IsRunning(key, request.attempt, worker.id);
	if (result.failed && counts) {
		NoteFailure(worker, result.error);
		if (result.error.kind != ErrorKind::CANCELLED && runs.FeedWasRead(request.stage_id, request.task_id)) {
			// its rows were read once and are gone: another attempt could only say that, and hide what happened
			result.error.kind = ErrorKind::USER;
		}
	}
	if (counts) {
		RecordResult(request, result);
	}
	auto now = services.clock->NowMs();
	if (result.failed) {
		Apply(scheduler->Handle(event::TaskFailed {key, request.attempt, worker.id, result.error}, now));
		if (counts && result.error.kind == ErrorKind::BROKEN) {
			LoseWorker(worker.id, "its database is invalid: " + result.error.message);
			SuspectWorker(worker.id);
		}
		RecordRemaining(request);
	} else {
		if (counts) {
			NoteOutput(request, result, keys);
		}
		Apply(scheduler->Handle(event::TaskSucceeded {key, request.attempt, worker.id}, now));
	}
	open_feeds.erase(key);
	running_attempts--;
	changed.notify_all();
	ended.notify_all();
}

} // namespace duckherder
