#include "exchange/task_inputs.hpp"

#include <algorithm>

namespace duckherder {

using namespace duckdb;

static constexpr const char *TASK_INPUTS_KEY = "duckherder_task_inputs";

void TaskInputs::Install(ClientContext &context, shared_ptr<TaskInputs> inputs) {
	// Insert keeps what is there
	context.registered_state->Remove(TASK_INPUTS_KEY);
	context.registered_state->Insert(TASK_INPUTS_KEY, std::move(inputs));
}

void TaskInputs::Remove(ClientContext &context) {
	context.registered_state->Remove(TASK_INPUTS_KEY);
}

shared_ptr<TaskInputs> TaskInputs::Get(ClientContext &context) {
	return context.registered_state->Get<TaskInputs>(TASK_INPUTS_KEY);
}

void TaskInputs::Add(const ExchangeScanSource &source, ChunkSourceFactory factory) {
	std::lock_guard<std::mutex> guard(lock);
	factories[Key(source.is_feed, source.stage)] = std::move(factory);
}

void TaskInputs::AddOnce(const ExchangeScanSource &source, std::shared_ptr<ChunkSource> rows) {
	{
		// known to Cancel from now on: it may be waited for before anything scans it
		std::lock_guard<std::mutex> guard(lock);
		opened.push_back(rows);
	}
	Add(source, [rows, used = false](const vector<LogicalType> &) mutable {
		if (used) {
			throw InternalException("The rows of a feed can be scanned only once");
		}
		used = true;
		return std::move(rows);
	});
}

std::shared_ptr<ChunkSource> TaskInputs::Open(const ExchangeScanSource &source, const vector<LogicalType> &types) {
	std::lock_guard<std::mutex> guard(lock);
	if (cancelled) {
		throw InterruptException();
	}
	auto entry = factories.find(Key(source.is_feed, source.stage));
	if (entry == factories.end()) {
		if (source.is_feed) {
			throw InternalException("The fragment reads a feed, but the task has none");
		}
		throw InternalException("The fragment reads the output of stage %llu, but the task has no such input",
		                        static_cast<idx_t>(source.stage));
	}
	auto result = entry->second(types);
	opened.push_back(result);
	return result;
}

void TaskInputs::Cancel() {
	std::vector<std::shared_ptr<ChunkSource>> sources;
	{
		std::lock_guard<std::mutex> guard(lock);
		cancelled = true;
		for (auto &source : opened) {
			if (auto alive = source.lock()) {
				sources.push_back(std::move(alive));
			}
		}
	}
	// without the lock: a source may call back, and the last reference may end here
	for (auto &source : sources) {
		source->Cancel();
	}
}

void CountScannedRows(ClientContext &context, TableFunctionInput &input, DataChunk &output) {
	auto inputs = TaskInputs::Get(context);
	if (!inputs || !inputs->counted_function) {
		throw InternalException("A counted scan runs outside of a task");
	}
	inputs->counted_function(context, input, output);
	inputs->scanned_rows += output.size();
}

} // namespace duckherder
