#include "server/result_queue.hpp"

#include "compat/results.hpp"
#include "wire/chunk_codec.hpp"
#include "common/limits.hpp"

#include "duckdb/execution/operator/helper/physical_result_collector.hpp"
#include "duckdb/execution/physical_plan_generator.hpp"
#include "duckdb/main/client_context.hpp"
#include "duckdb/main/prepared_statement_data.hpp"

#include <chrono>

namespace duckherder {

using namespace duckdb;

void ResultQueue::Begin(vector<LogicalType> result_types) {
	std::lock_guard<std::mutex> guard(lock);
	types = std::move(result_types);
	begun = true;
	changed.notify_one();
}

const vector<LogicalType> &ResultQueue::WaitForTypes() {
	std::unique_lock<std::mutex> guard(lock);
	changed.wait(guard, [&] { return begun || finished; });
	if (!begun) {
		error.Throw();
	}
	return types;
}

bool ResultQueue::HasRoom(const InterruptState &interrupt) {
	std::lock_guard<std::mutex> guard(lock);
	if (closed || bytes < limits::RESULT_QUEUE_BYTES) {
		return true;
	}
	waiting.push_back(interrupt);
	return false;
}

void ResultQueue::Put(ResultRows rows) {
	std::lock_guard<std::mutex> guard(lock);
	if (closed) {
		return;
	}
	bytes += rows.bytes;
	ready.push_back(std::move(rows));
	changed.notify_one();
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

ResultRows ResultQueue::Take(bool &at_end) {
	std::unique_lock<std::mutex> guard(lock);
	at_end = false;
	changed.wait_for(guard, std::chrono::milliseconds(limits::WAIT_SLICE_MS),
	                 [&] { return !ready.empty() || finished; });
	if (error.HasError()) {
		error.Throw();
	}
	if (ready.empty()) {
		at_end = finished;
		return {};
	}
	auto rows = std::move(ready.front());
	ready.pop_front();
	bytes -= rows.bytes;
	if (bytes < limits::RESULT_QUEUE_BYTES) {
		WakeSinks();
	}
	return rows;
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
	ready.clear();
	WakeSinks();
}

bool ResultQueue::IsClosed() {
	std::lock_guard<std::mutex> guard(lock);
	return closed;
}

namespace {

//! What one thread has not put into the queue yet
class ResultQueueWriter : public LocalSinkState {
public:
	explicit ResultQueueWriter(std::shared_ptr<ResultQueue> queue_p) : queue(std::move(queue_p)) {
	}
	virtual void Write(DataChunk &chunk) = 0;
	virtual void Finish() {
	}

protected:
	const std::shared_ptr<ResultQueue> queue;
};

class ChunkWriter : public ResultQueueWriter {
public:
	using ResultQueueWriter::ResultQueueWriter;

	void Write(DataChunk &chunk) override {
		ResultRows rows;
		rows.chunk = make_uniq<DataChunk>();
		rows.chunk->Initialize(Allocator::DefaultAllocator(), chunk.GetTypes(), chunk.size());
		chunk.Copy(*rows.chunk, 0);
		rows.bytes = rows.chunk->GetAllocationSize();
		queue->Put(std::move(rows));
	}
};

class BatchWriter : public ResultQueueWriter {
public:
	BatchWriter(std::shared_ptr<ResultQueue> queue_p, const vector<LogicalType> &types)
	    : ResultQueueWriter(std::move(queue_p)), encoder(types) {
	}

	void Write(DataChunk &chunk) override {
		idx_t position = 0;
		while (position < chunk.size()) {
			Put(encoder.Append(chunk, position));
		}
	}
	void Finish() override {
		Put(encoder.Flush());
	}

private:
	void Put(std::shared_ptr<arrow::RecordBatch> batch) {
		if (!batch) {
			return;
		}
		ResultRows rows;
		rows.bytes = BytesOf(*batch);
		rows.batch = std::move(batch);
		queue->Put(std::move(rows));
	}

	ChunkEncoder encoder;
};

class ResultQueueSink : public PhysicalResultCollector {
public:
	ResultQueueSink(PhysicalPlan &physical_plan, PreparedStatementData &data, bool ordered_p, bool encoded_p,
	                std::shared_ptr<ResultQueue> queue_p)
	    : PhysicalResultCollector(physical_plan, data), ordered(ordered_p), encoded(encoded_p),
	      queue(std::move(queue_p)) {
	}

	unique_ptr<GlobalSinkState> GetGlobalSinkState(ClientContext &) const override {
		return make_uniq<GlobalSinkState>();
	}

	unique_ptr<LocalSinkState> GetLocalSinkState(ExecutionContext &) const override {
		if (encoded) {
			return make_uniq<BatchWriter>(queue, types);
		}
		return make_uniq<ChunkWriter>(queue);
	}

	SinkResultType Sink(ExecutionContext &, DataChunk &chunk, OperatorSinkInput &input) const override {
		if (!queue->HasRoom(input.interrupt_state)) {
			return SinkResultType::BLOCKED;
		}
		input.local_state.Cast<ResultQueueWriter>().Write(chunk);
		return queue->IsClosed() ? SinkResultType::FINISHED : SinkResultType::NEED_MORE_INPUT;
	}

	SinkCombineResultType Combine(ExecutionContext &, OperatorSinkCombineInput &input) const override {
		input.local_state.Cast<ResultQueueWriter>().Finish();
		return SinkCombineResultType::FINISHED;
	}

	unique_ptr<QueryResult> GetResult(GlobalSinkState &) const override {
		// the rows have gone another way; DuckDB only wants to hear that the query is done
		return EmptyResult(*this);
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
	const bool encoded;
	const std::shared_ptr<ResultQueue> queue;
};

} // namespace

void InstallResultQueue(ClientContext &context, std::shared_ptr<ResultQueue> queue, bool encoded) {
	ClientConfig::GetConfig(context).get_result_collector =
	    [queue = std::move(queue), encoded](ClientContext &client,
	                                        PreparedStatementData &data) -> unique_ptr<PhysicalOperator> {
		auto ordered = PhysicalPlanGenerator::PreserveInsertionOrder(client, data.physical_plan->Root());
		queue->Begin(data.types);
		return make_uniq<ResultQueueSink>(*data.physical_plan, data, ordered, encoded, queue);
	};
}

void RemoveResultQueue(ClientContext &context) {
	ClientConfig::GetConfig(context).get_result_collector = nullptr;
}

} // namespace duckherder
