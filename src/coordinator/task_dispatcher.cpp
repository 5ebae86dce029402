#include "coordinator/task_dispatcher.hpp"

#include "protocol/attempt_control.hpp"
#include "wire/errors.hpp"

#include "duckdb/common/exception.hpp"

namespace duckherder {

using duckdb::idx_t;
using duckdb::IOException;

TaskDispatcher::TaskDispatcher(QueryId query_p, const CoordinatorServices &services_p, ReportedKeys &keys_p,
                               GatherOutputs &outputs_p)
    : query(std::move(query_p)), services(services_p), keys(keys_p), outputs(outputs_p) {
}

TaskResult TaskDispatcher::Run(AttemptCall &call) {
	auto &request = call.request;
	std::shared_ptr<GuardedFeed> feed;
	TaskResult result;
	try {
		auto pruned = std::make_shared<std::atomic<uint64_t>>(0);
		if (request.split.fed) {
			feed = OpenFeed(call, pruned);
		} else {
			request.scan_filters = keys.filters.ForTask(request.stage_id, call.filters);
		}
		result = CallWorker(call, feed);
		if (result.failed && feed && feed->Error()) {
			feed->Error()->Throw();
		}
		if (!result.failed) {
			CheckPartitions(call, result);
			keys.filters.Add(request.stage_id, DecodeKeys(call, result));
			if (request.output.SamplesKeys()) {
				keys.samples.Add({request.stage_id, request.task_id}, KeySample::Decode(result.key_sample));
			}
			result.pruned_rows += *pruned;
		}
	} catch (std::exception &error) {
		result = TaskResult();
		result.failed = true;
		auto by_session = request.split.fed && (!feed || feed->Error());
		result.error = ToTaskError(error, by_session ? "" : call.worker.id);
		if (by_session && result.error.kind != ErrorKind::CANCELLED) {
			// it would be the same next time, or what was read is gone
			result.error.kind = ErrorKind::USER;
			outputs.NoteFeedFailure(duckdb::ErrorData(error));
		}
	}
	return result;
}

std::shared_ptr<GuardedFeed> TaskDispatcher::OpenFeed(AttemptCall &call,
                                                      const std::shared_ptr<std::atomic<uint64_t>> &pruned) {
	auto &request = call.request;
	auto feed_filters = keys.filters.ForFeed(request.stage_id, call.filters, pruned);
	auto feed = std::make_shared<GuardedFeed>(call.feed->Open(request.split, request.task_id, feed_filters));
	std::lock_guard<std::mutex> guard(lock);
	open_feeds[TaskKey {request.stage_id, request.task_id}] = feed;
	if (stopped) {
		feed->Cancel();
	}
	return feed;
}

TaskResult TaskDispatcher::CallWorker(const AttemptCall &call, const std::shared_ptr<ChunkSource> &feed) {
	std::shared_ptr<WorkerService> service;
	try {
		service = services.connector->Connect(call.worker);
	} catch (std::exception &error) {
		TaskResult result;
		result.failed = true;
		result.error = ToTaskError(error, call.worker.id);
		if (result.error.kind == ErrorKind::WORKER_FAILURE) {
			result.error.kind = ErrorKind::UNREACHABLE;
		}
		return result;
	}
	return service->RunTask(call.request, feed);
}

void TaskDispatcher::CheckPartitions(const AttemptCall &call, const TaskResult &result) {
	auto partitions = call.request.output.partition_count;
	auto inlined = result.inline_rows.size();
	if (result.partition_bytes.size() != partitions || (inlined > 0 && inlined != partitions)) {
		throw IOException("Worker %s made %llu partitions instead of %llu", call.worker.id,
		                  idx_t(result.partition_bytes.size()), idx_t(partitions));
	}
}

std::vector<KeySet> TaskDispatcher::DecodeKeys(const AttemptCall &call, const TaskResult &result) {
	std::vector<KeySet> keys;
	auto &wanted = call.request.output.collected_keys;
	if (result.key_sets.size() != wanted.size()) {
		throw IOException("Worker %s collected %llu keys instead of %llu", call.worker.id,
		                  idx_t(result.key_sets.size()), idx_t(wanted.size()));
	}
	for (idx_t i = 0; i < wanted.size(); i++) {
		keys.push_back(KeySet::Decode(result.key_sets[i]));
		auto &type = call.types[wanted[i].column];
		if (keys[i].Type() != type || keys[i].Log2Bits() != wanted[i].log2_bits) {
			throw IOException("Worker %s collected keys of type %s instead of %s", call.worker.id,
			                  keys[i].Type().ToString(), type.ToString());
		}
	}
	return keys;
}

void TaskDispatcher::CancelFeed(TaskKey task) {
	std::lock_guard<std::mutex> guard(lock);
	auto feed = open_feeds.find(task);
	if (feed != open_feeds.end()) {
		feed->second->Cancel();
	}
}

void TaskDispatcher::Forget(TaskKey task) {
	std::lock_guard<std::mutex> guard(lock);
	open_feeds.erase(task);
}

void TaskDispatcher::Stop(const action::CancelAttempt &cancelled, const WorkerAddress &worker) {
	TaskRequest request;
	request.query_id = query;
	request.stage_id = cancelled.task.stage;
	request.task_id = cancelled.task.task;
	request.attempt = cancelled.attempt;
	request.worker_id = cancelled.worker;
	services.pool->Submit([connector = services.connector, worker, request] {
		try {
			if (auto control = std::dynamic_pointer_cast<AttemptControl>(connector->Connect(worker))) {
				control->StopAttempt(request);
			}
		} catch (std::exception &) {
			// gone: then there is nothing to stop
		}
	});
}

void TaskDispatcher::StopAll(const std::vector<WorkerAddress> &workers) {
	std::lock_guard<std::mutex> guard(lock);
	if (stopped) {
		return;
	}
	stopped = true;
	stopped_at = services.clock->NowMs();
	for (auto &feed : open_feeds) {
		feed.second->Cancel();
	}
	for (auto &worker : workers) {
		auto confirmed = std::make_shared<std::atomic<bool>>(false);
		stopped_workers.push_back({worker.location, confirmed});
		services.pool->Submit([connector = services.connector, worker, query = query, confirmed] {
			try {
				connector->Connect(worker)->CancelQuery(query);
				*confirmed = true;
			} catch (std::exception &) {
				// gone: then there is nothing to stop; a worker that comes back drops queries without a session
			}
		});
	}
}

bool TaskDispatcher::Stopped() {
	std::lock_guard<std::mutex> guard(lock);
	return stopped;
}

void TaskDispatcher::HangUp() {
	std::lock_guard<std::mutex> guard(lock);
	if (!stopped || services.clock->NowMs() - stopped_at < limits::CANCEL_CALL_TIMEOUT_MS) {
		return;
	}
	for (auto &worker : stopped_workers) {
		if (!*worker.confirmed) {
			services.connector->GiveUp(query, worker.location);
		}
	}
}

} // namespace duckherder
