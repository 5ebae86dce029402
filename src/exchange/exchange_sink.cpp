#include "exchange/exchange_sink.hpp"

#include "compat/results.hpp"
#include "exchange/partition_appender.hpp"

#include "duckdb/execution/operator/helper/physical_result_collector.hpp"
#include "duckdb/execution/physical_plan_generator.hpp"
#include "duckdb/main/client_context.hpp"
#include "duckdb/main/prepared_statement_data.hpp"
#include "duckdb/parallel/task_scheduler.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! What the sink has to do to keep the order that the plan defines
enum class SinkOrder : uint8_t {
	ANY,       //! none is defined or wanted: threads share lanes
	BATCHED,   //! each thread has a lane of its own, and batch indexes say how their rows interleave
	ONE_THREAD //! an order, but no batch indexes: rows come one after another
};

SinkOrder ChooseOrder(ClientContext &context, const Exchange &exchange, PhysicalOperator &root) {
	// the same questions as PhysicalResultCollector::GetResultCollector asks
	if (!exchange.ordered || !PhysicalPlanGenerator::PreserveInsertionOrder(context, root)) {
		return SinkOrder::ANY;
	}
	return PhysicalPlanGenerator::UseBatchIndex(context, root) ? SinkOrder::BATCHED : SinkOrder::ONE_THREAD;
}

struct ExchangeSinkGlobalState : public GlobalSinkState {
	std::mutex lock;
	std::vector<reference<OutputLane>> lanes;
	idx_t writer_count = 0;
};

struct ExchangeSinkLocalState : public LocalSinkState {
	ExchangeSinkLocalState(OutputBuffer &buffer, OutputLane &lane, const Exchange &exchange, idx_t number_p)
	    : appender(buffer, lane, exchange), number(number_p) {
	}
	PartitionAppender appender;
	//! Which writer this is, in the order they started
	idx_t number;
};

class ExchangeSink : public PhysicalResultCollector {
public:
	ExchangeSink(PhysicalPlan &physical_plan, PreparedStatementData &data, const Exchange &exchange_p,
	             SinkOrder order_p, std::shared_ptr<OutputBuffer> output_p)
	    : PhysicalResultCollector(physical_plan, data), exchange(exchange_p), order(order_p),
	      output(std::move(output_p)) {
	}

	unique_ptr<GlobalSinkState> GetGlobalSinkState(ClientContext &) const override {
		return make_uniq<ExchangeSinkGlobalState>();
	}

	unique_ptr<LocalSinkState> GetLocalSinkState(ExecutionContext &context) const override {
		auto &global = sink_state->Cast<ExchangeSinkGlobalState>();
		std::lock_guard<std::mutex> guard(global.lock);
		auto number = global.writer_count++;
		if (order != SinkOrder::ANY || number < LaneLimit(context.client)) {
			global.lanes.push_back(output->AddLane());
		}
		auto &lane = global.lanes[number % global.lanes.size()].get();
		return make_uniq<ExchangeSinkLocalState>(*output, lane, exchange, number);
	}

	SinkResultType Sink(ExecutionContext &, DataChunk &chunk, OperatorSinkInput &input) const override {
		auto &local = input.local_state.Cast<ExchangeSinkLocalState>();
		local.appender.Append(chunk, OrderOf(local));
		return SinkResultType::NEED_MORE_INPUT;
	}

	SinkCombineResultType Combine(ExecutionContext &, OperatorSinkCombineInput &input) const override {
		input.local_state.Cast<ExchangeSinkLocalState>().appender.Finish();
		return SinkCombineResultType::FINISHED;
	}

	SinkFinalizeType Finalize(Pipeline &, Event &, ClientContext &, OperatorSinkFinalizeInput &) const override {
		output->Finish();
		return SinkFinalizeType::READY;
	}

	unique_ptr<QueryResult> GetResult(GlobalSinkState &) const override {
		// the rows stay here; DuckDB only wants to hear that the query is done
		return EmptyResult(*this);
	}

	bool ParallelSink() const override {
		return order != SinkOrder::ONE_THREAD;
	}

	bool SinkOrderDependent() const override {
		return order == SinkOrder::ONE_THREAD;
	}

	OperatorPartitionInfo RequiredPartitionInfo() const override {
		return order == SinkOrder::BATCHED ? OperatorPartitionInfo::BatchIndex()
		                                   : OperatorPartitionInfo::NoPartitionInfo();
	}

	string GetName() const override {
		return "EXCHANGE_SINK";
	}

private:
	idx_t OrderOf(ExchangeSinkLocalState &local) const {
		switch (order) {
		case SinkOrder::BATCHED:
			return local.partition_info.batch_index.GetIndex();
		case SinkOrder::ONE_THREAD:
			// the inputs of a UNION ALL write one after another
			return local.number;
		default:
			return 0;
		}
	}

	//! A lane for each thread costs a chunk per partition and thread. With many partitions threads rarely meet in one,
	//! so they can share; with few, each thread has its own.
	idx_t LaneLimit(ClientContext &context) const {
		auto threads = NumericCast<idx_t>(TaskScheduler::GetScheduler(context).NumberOfThreads());
		auto partitions = output->PartitionCount();
		auto wanted = (4 * threads + partitions - 1) / partitions;
		return MaxValue<idx_t>(MinValue<idx_t>(wanted, threads), 1);
	}

	const Exchange exchange;
	const SinkOrder order;
	const std::shared_ptr<OutputBuffer> output;
};

} // namespace

void InstallExchangeSink(ClientContext &context, const Exchange &exchange, std::shared_ptr<OutputBuffer> output,
                         std::function<void()> on_planned) {
	ClientConfig::GetConfig(context).get_result_collector =
	    [exchange, output, on_planned = std::move(on_planned)](
	        ClientContext &client, PreparedStatementData &data) -> unique_ptr<PhysicalOperator> {
		if (on_planned) {
			on_planned();
		}
		auto order = ChooseOrder(client, exchange, data.physical_plan->Root());
		return make_uniq<ExchangeSink>(*data.physical_plan, data, exchange, order, output);
	};
}

void RemoveExchangeSink(ClientContext &context) {
	ClientConfig::GetConfig(context).get_result_collector = nullptr;
}

} // namespace duckherder
