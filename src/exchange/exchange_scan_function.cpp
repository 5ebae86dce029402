#include "exchange/exchange_scan_function.hpp"

#include "compat/names.hpp"
#include "engine/exchange_scan.hpp"
#include "exchange/task_inputs.hpp"

#include "duckdb/catalog/catalog.hpp"
#include "duckdb/function/partition_stats.hpp"
#include "duckdb/function/table_function.hpp"
#include "duckdb/main/database.hpp"
#include "duckdb/parser/parsed_data/create_table_function_info.hpp"

#include <atomic>

namespace duckherder {

using namespace duckdb;

namespace {

struct ExchangeScanGlobalState : public GlobalTableFunctionState {
	std::shared_ptr<ChunkSource> source;
	idx_t max_threads = 1;
	std::atomic<idx_t> rows_read {0};

	idx_t MaxThreads() const override {
		return max_threads;
	}
};

struct ExchangeScanLocalState : public LocalTableFunctionState {
	//! Before the reader: readers end before their source does
	std::shared_ptr<ChunkSource> source;
	std::unique_ptr<ChunkReader> reader;
};

unique_ptr<FunctionData> BindExchangeScan(ClientContext &, TableFunctionBindInput &, vector<LogicalType> &,
                                          vector<Identifier> &) {
	throw BinderException("%s is internal: it reads the rows of a running distributed query", EXCHANGE_SCAN_NAME);
}

unique_ptr<GlobalTableFunctionState> InitExchangeScan(ClientContext &context, TableFunctionInitInput &input) {
	auto &bind_data = input.bind_data->Cast<ExchangeScanBindData>();
	auto inputs = TaskInputs::Get(context);
	if (!inputs) {
		throw InternalException("An exchange scan runs on a connection without a task");
	}
	auto result = make_uniq<ExchangeScanGlobalState>();
	result->source = inputs->Open(bind_data.source, bind_data.types);
	if (result->source->Types() != bind_data.types) {
		throw InternalException("An exchange scan expects the types (%s), its input has (%s)",
		                        StringUtil::ToString(bind_data.types, ", "),
		                        StringUtil::ToString(result->source->Types(), ", "));
	}
	result->max_threads = MaxValue<idx_t>(result->source->MaxReaders(), 1);
	return result;
}

unique_ptr<LocalTableFunctionState> InitExchangeScanLocal(ExecutionContext &, TableFunctionInitInput &,
                                                          GlobalTableFunctionState *global_state) {
	auto &global = global_state->Cast<ExchangeScanGlobalState>();
	auto result = make_uniq<ExchangeScanLocalState>();
	result->source = global.source;
	result->reader = global.source->OpenReader();
	return result;
}

void ScanExchange(ClientContext &, TableFunctionInput &input, DataChunk &output) {
	auto &local = input.local_state->Cast<ExchangeScanLocalState>();
	local.reader->Next(output);
	input.global_state->Cast<ExchangeScanGlobalState>().rows_read += output.size();
}

OperatorPartitionData ExchangePartitionData(ClientContext &, TableFunctionGetPartitionInput &input) {
	if (input.partition_info.RequiresPartitionColumns()) {
		throw InternalException("An exchange scan knows no partition columns");
	}
	return OperatorPartitionData(input.local_state->Cast<ExchangeScanLocalState>().reader->BatchIndex());
}

unique_ptr<NodeStatistics> ExchangeCardinality(ClientContext &, const FunctionData *bind_data) {
	return make_uniq<NodeStatistics>(bind_data->Cast<ExchangeScanBindData>().estimated_cardinality);
}

double ExchangeProgress(ClientContext &, const FunctionData *bind_data, const GlobalTableFunctionState *state) {
	auto expected = bind_data->Cast<ExchangeScanBindData>().estimated_cardinality;
	auto rows = state->Cast<ExchangeScanGlobalState>().rows_read.load();
	return expected == 0 ? -1.0 : MinValue<double>(100.0, 100.0 * double(rows) / double(expected));
}

InsertionOrderPreservingMap<string> DescribeExchangeScan(TableFunctionToStringInput &input) {
	InsertionOrderPreservingMap<string> result;
	auto &source = input.bind_data->Cast<ExchangeScanBindData>().source;
	result["Reads"] = source.is_feed ? "the driver's feed" : "stage " + to_string(source.stage);
	return result;
}

} // namespace

void RegisterExchangeScanFunction(DatabaseInstance &db) {
	TableFunction function(EXCHANGE_SCAN_NAME, {}, ScanExchange, BindExchangeScan, InitExchangeScan,
	                       InitExchangeScanLocal);
	function.get_partition_data = ExchangePartitionData;
	function.cardinality = ExchangeCardinality;
	function.table_scan_progress = ExchangeProgress;
	function.to_string = DescribeExchangeScan;
	function.order_preservation_type = OrderPreservationType::INSERTION_ORDER;
	// a plan with exchange scans travels as the logical operator; the function alone would mean nothing elsewhere
	function.verify_serialization = false;

	CreateTableFunctionInfo info(std::move(function));
	info.internal = true;
	info.on_conflict = OnCreateConflict::IGNORE_ON_CONFLICT;
	auto transaction = CatalogTransaction::GetSystemTransaction(db);
	Catalog::GetSystemCatalog(db).CreateFunction(transaction, info);
}

} // namespace duckherder
