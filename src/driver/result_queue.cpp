#include "driver/result_queue.hpp"

#include "common/limits.hpp"

#include "duckdb/execution/operator/helper/physical_result_collector.hpp"
#include "duckdb/execution/physical_plan_generator.hpp"
#include "duckdb/main/client_context.hpp"
#include "duckdb/main/materialized_query_result.hpp"
#include "duckdb/main/prepared_statement_data.hpp"

#include <chrono>

namespace duckherder {

using namespace duckdb;

bool ResultQueue::Put(DataChunk &chunk, const InterruptState &interrupt) {
	{
		std::lock_guard<std::mutex> guard(lock);
		if (closed) {
			return true;
		}
		if (bytes >= limits::RESULT_QUEUE_BYTES) {
			waiting.push_back(interrupt);
			return false;
		}
	}
	auto copy = make_uniq<DataChunk>();
	copy->Initialize(Allocator::DefaultAllocator(), chunk.GetTypes(), chunk.size());
	chunk.Copy(*copy, 0);
	std::lock_guard<std::mutex> guard(lock);
	bytes += copy->GetAllocationSize();
	chunks.push_back(std::move(copy));
	changed.notify_one();
	return true;
}

void ResultQueue::Finish() {
	std::lock_guard<std::mutex> guard(lock);
	finished = true;
	changed.notify_one();
}

void ResultQueue::Fail(ErrorData error_p) {
	std::lock_guard<std::mutex> guard(lock);
	error = std::move(error_p);
	finished = true;
	changed.notify_one();
}

unique_ptr<DataChunk> ResultQueue::Take(bool &at_end) {
	std::unique_lock<std::mutex> guard(lock);
	at_end = false;
	changed.wait_for(guard, std::chrono::milliseconds(limits::WAIT_SLICE_MS),
	                 [&] { return !chunks.empty() || finished; });
	if (error.HasError()) {
		error.Throw();
	}
	if (chunks.empty()) {
		at_end = finished;
		return nullptr;
	}
	auto chunk = std::move(chunks.front());
	chunks.pop_front();
	bytes -= MinValue(bytes, chunk->GetAllocationSize());
	if (bytes < limits::RESULT_QUEUE_BYTES) {
		WakeSinks();
	}
	return chunk;
}

void ResultQueue::WakeSinks() {
	for (auto &interrupt : waiting) {
		interrupt.Callback();
	}
	waiting.clear();
}

void ResultQueue::Close() {
	std::lock_guard<std::mutex> guard(lock);
	closed = true;
	chunks.clear();
	WakeSinks();
}

bool ResultQueue::IsClosed() {
	std::lock_guard<std::mutex> guard(lock);
	return closed;
}

namespace {

class ResultQueueSink : public PhysicalResultCollector {
public:
	ResultQueueSink(PhysicalPlan &physical_plan, PreparedStatementData &data, bool ordered_p,
	                std::shared_ptr<ResultQueue> queue_p)
	    : PhysicalResultCollector(physical_plan, data), ordered(ordered_p), queue(std::move(queue_p)) {
	}

	unique_ptr<GlobalSinkState> GetGlobalSinkState(ClientContext &) const override {
		return make_uniq<GlobalSinkState>();
	}

	SinkResultType Sink(ExecutionContext &, DataChunk &chunk, OperatorSinkInput &input) const override {
		if (!queue->Put(chunk, input.interrupt_state)) {
			return SinkResultType::BLOCKED;
		}
		return queue->IsClosed() ? SinkResultType::FINISHED : SinkResultType::NEED_MORE_INPUT;
	}

	unique_ptr<QueryResult> GetResult(GlobalSinkState &) const override {
		// the rows have gone another way; DuckDB only wants to hear that the query is done
		auto nothing = make_uniq<ColumnDataCollection>(Allocator::DefaultAllocator(), types);
		return make_uniq<MaterializedQueryResult>(statement_type, properties, names, std::move(nothing),
		                                          ClientProperties());
	}

	bool ParallelSink() const override {
		return !ordered;
	}

	bool SinkOrderDependent() const override {
		return ordered;
	}

	string GetName() const override {
		return "RESULT_QUEUE";
	}

private:
	const bool ordered;
	const std::shared_ptr<ResultQueue> queue;
};

} // namespace

void InstallResultQueue(ClientContext &context, std::shared_ptr<ResultQueue> queue) {
	ClientConfig::GetConfig(context).get_result_collector =
	    [queue = std::move(queue)](ClientContext &client, PreparedStatementData &data) -> unique_ptr<PhysicalOperator> {
		auto ordered = PhysicalPlanGenerator::PreserveInsertionOrder(client, data.physical_plan->Root());
		return make_uniq<ResultQueueSink>(*data.physical_plan, data, ordered, queue);
	};
}

void RemoveResultQueue(ClientContext &context) {
	ClientConfig::GetConfig(context).get_result_collector = nullptr;
}

} // namespace duckherder
