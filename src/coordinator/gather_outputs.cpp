#include "coordinator/gather_outputs.hpp"

#include "common/limits.hpp"
#include "wire/errors.hpp"

#include "duckdb/common/exception.hpp"

#include <chrono>

namespace duckherder {

GatherOutputs::GatherOutputs(std::function<bool()> interrupted_p) : interrupted(std::move(interrupted_p)) {
}

void GatherOutputs::SetReady(TaskKey task, Output output) {
	std::lock_guard<std::mutex> guard(lock);
	ready[task] = std::move(output);
	changed.notify_all();
}

void GatherOutputs::Fail(const TaskError &error) {
	std::lock_guard<std::mutex> guard(lock);
	if (!failure) {
		failure = error;
	}
	changed.notify_all();
}

void GatherOutputs::NoteFeedFailure(const duckdb::ErrorData &error) {
	std::lock_guard<std::mutex> guard(lock);
	if (!feed_failure) {
		feed_failure = error;
	}
}

bool GatherOutputs::Failed() const {
	std::lock_guard<std::mutex> guard(lock);
	return failure.has_value();
}

void GatherOutputs::Close() {
	std::lock_guard<std::mutex> guard(lock);
	closed = true;
	changed.notify_all();
}

void GatherOutputs::Wake() {
	changed.notify_all();
}

void GatherOutputs::CancelSources() {
	std::lock_guard<std::mutex> guard(lock);
	cancelled = true;
	for (auto &entry : sources) {
		if (auto source = entry.lock()) {
			source->Cancel();
		}
	}
}

std::optional<GatherOutputs::Output> GatherOutputs::IfReady(TaskKey task) const {
	std::lock_guard<std::mutex> guard(lock);
	ThrowFailure();
	auto entry = ready.find(task);
	if (entry != ready.end()) {
		return entry->second;
	}
	if (interrupted() || closed) {
		throw duckdb::InterruptException();
	}
	return std::nullopt;
}

void GatherOutputs::Await(TaskKey task) {
	std::unique_lock<std::mutex> guard(lock);
	if (!failure && !closed && ready.count(task) == 0) {
		changed.wait_for(guard, std::chrono::milliseconds(limits::WAIT_SLICE_MS));
	}
}

void GatherOutputs::ThrowFailure() const {
	if (failure && failure->worker_id.empty() && failure->kind == ErrorKind::USER && feed_failure) {
		feed_failure->Throw();
	}
	if (failure) {
		ThrowTaskError(*failure);
	}
}

void GatherOutputs::ThrowIfFailed() const {
	std::lock_guard<std::mutex> guard(lock);
	ThrowFailure();
}

bool GatherOutputs::Remove(TaskKey task, Attempt attempt) {
	std::lock_guard<std::mutex> guard(lock);
	auto entry = ready.find(task);
	if (entry == ready.end() || entry->second.attempt != attempt) {
		return false;
	}
	ready.erase(entry);
	return true;
}

void GatherOutputs::AddSource(const std::shared_ptr<ChunkSource> &source) {
	std::lock_guard<std::mutex> guard(lock);
	sources.push_back(source);
	if (cancelled) {
		source->Cancel();
	}
}

} // namespace duckherder
