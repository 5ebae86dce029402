#include "compat/names.hpp"
#include "fuzz/fuzz_target.hpp"

#include "wire/messages.hpp"

namespace duckherder::fuzz {

namespace {

//! What decodes is the same after another round of encoding and decoding
template <class MESSAGE>
void RoundTrip(const std::string &bytes) {
	Decode([&] {
		auto once = EncodeMessage(DecodeMessage<MESSAGE>(bytes));
		Expect(EncodeMessage(DecodeMessage<MESSAGE>(once)) == once,
		       "a message is another one after a round of encoding and decoding");
	});
}

void DecodeAs(uint8_t kind, const std::string &bytes) {
	switch (kind % 8) {
	case 0:
		return RoundTrip<TaskRequest>(bytes);
	case 1:
		return RoundTrip<TaskResult>(bytes);
	case 2:
		return RoundTrip<FetchRequest>(bytes);
	case 3:
		return RoundTrip<WorkerInfo>(bytes);
	case 4:
		return RoundTrip<WorkerList>(bytes);
	case 5:
		return RoundTrip<TaskError>(bytes);
	case 6:
		return RoundTrip<QueryReports>(bytes);
	default:
		return RoundTrip<std::vector<std::string>>(bytes);
	}
}

TaskRequest SampleRequest() {
	TaskRequest request;
	request.query_id = "q1";
	request.stage_id = 2;
	request.task_id = 3;
	request.attempt = 1;
	request.worker_id = "w1";
	request.fragment = std::make_shared<const std::string>("plan");
	request.output.kind = ExchangeKind::HASH;
	request.output.key_columns = {0, 2};
	request.output.partition_count = 4;
	request.output.column_count = 3;
	request.output.collected_keys.emplace_back();
	request.output.key_orders = {{false, true}, {true, false}};
	request.output.bounds = {"a", "b"};
	request.split.part = FileSplit {{ScanFile("a.parquet"), ScanFile("b.parquet")}};
	StageInput input;
	input.outputs.resize(2);
	input.outputs[1].worker = {"w2", "grpc://host:1"};
	input.outputs[1].rows = std::make_shared<const std::vector<std::string>>(2, "rows");
	request.inputs = std::make_shared<const StageInputs>(1, input);
	request.scan_filters.push_back({1, std::make_shared<const std::string>("keys")});
	request.settings.emplace_back("TimeZone", "UTC");
	request.transaction_start_us = 1;
	return request;
}

TaskResult SampleResult() {
	TaskResult result;
	result.partition_rows = {1, 2};
	result.partition_bytes = {10, 1ULL << 40};
	result.inline_rows = {"a", ""};
	result.key_sets = {"keys"};
	result.key_sample = "sample";
	result.duration_us = 12;
	result.reads = {{1, 2, 3, 4, 5, 6, 7}};
	return result;
}

TaskError SampleError() {
	TaskError error;
	error.kind = ErrorKind::LOST_INPUT;
	error.exception_type = "IO";
	error.message = "gone";
	error.worker_id = "w1";
	error.lost_worker = "w2";
	return error;
}

} // namespace

std::vector<std::string> Samples() {
	WorkerInfo info;
	info.address = {"w1", "grpc://host:1"};
	info.duckdb_version = "v1";
	info.memory_limit_bytes = 1ULL << 33;
	FetchRequest fetch;
	fetch.query_id = "q1";
	fetch.worker_id = "w1";
	return {std::string(1, 0) + EncodeMessage(SampleRequest()),
	        std::string(1, 1) + EncodeMessage(SampleResult()),
	        std::string(1, 2) + EncodeMessage(fetch),
	        std::string(1, 3) + EncodeMessage(info),
	        std::string(1, 4) + EncodeMessage(WorkerList {{info, WorkerInfo()}}),
	        std::string(1, 5) + EncodeMessage(SampleError()),
	        std::string(1, 6) + EncodeMessage(QueryReports {{QueryReport(), QueryReport()}}),
	        std::string(1, 7) + EncodeParts({"one", "", "three"})};
}

} // namespace duckherder::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size > 0) {
		duckherder::fuzz::DecodeAs(data[0], duckherder::fuzz::Text(data + 1, size - 1));
	}
	return 0;
}
