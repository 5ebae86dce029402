#include "compat/names.hpp"
#include "fuzz/column_samples.hpp"
#include "fuzz/fuzz_target.hpp"

#include "wire/chunk_codec.hpp"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>

namespace duckherder::fuzz {

namespace {

//! As a node does with a stream: whatever schema it says it has, its batches go to a decoder of the types that the
//! request names
void DecodeStream(const duckdb::vector<duckdb::LogicalType> &types, const uint8_t *data, size_t size) {
	// own memory, so that what reads beyond it is noticed
	auto input = std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(Text(data, size)));
	auto options = arrow::ipc::IpcReadOptions::Defaults();
	options.use_threads = false;
	auto reader = arrow::ipc::RecordBatchStreamReader::Open(input, options);
	if (!reader.ok()) {
		return;
	}
	ChunkDecoder decoder(types);
	duckdb::DataChunk chunk;
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
	std::shared_ptr<arrow::RecordBatch> batch;
	while ((*reader)->ReadNext(&batch).ok() && batch) {
		decoder.SetBatch(batch);
		for (decoder.Next(chunk); chunk.size() > 0; decoder.Next(chunk)) {
			ReadAll(chunk);
		}
	}
}

} // namespace

std::vector<std::string> Samples() {
	std::vector<std::string> result;
	for (auto &sample : ColumnSamples()) {
		auto chunk = SampleRows(sample);
		ChunkEncoder encoder(sample.types);
		duckdb::idx_t position = 0;
		encoder.Append(*chunk, position);
		auto sink = arrow::io::BufferOutputStream::Create().ValueOrDie();
		auto writer = arrow::ipc::MakeStreamWriter(sink, encoder.Schema()).ValueOrDie();
		Expect(writer->WriteRecordBatch(*encoder.Flush()).ok() && writer->Close().ok(), "a sample cannot be written");
		result.push_back(static_cast<char>(result.size()) + sink->Finish().ValueOrDie()->ToString());
	}
	return result;
}

} // namespace duckherder::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	using namespace duckherder::fuzz;
	DecodeWithTypes(data, size,
	                [](auto &types, const uint8_t *rest, size_t rest_size) { DecodeStream(types, rest, rest_size); });
	return 0;
}
