#include "compat/names.hpp"
#include "fuzz/column_samples.hpp"
#include "fuzz/fuzz_target.hpp"

#include "wire/row_codec.hpp"

namespace duckherder::fuzz {

namespace {

void DecodeAll(const duckdb::vector<duckdb::LogicalType> &types, std::string bytes) {
	auto source = DecodeRows(std::make_shared<const std::string>(std::move(bytes)), types);
	auto reader = source->OpenReader();
	duckdb::DataChunk chunk;
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
	while (true) {
		chunk.Reset();
		reader->Next(chunk);
		if (chunk.size() == 0) {
			return;
		}
		ReadAll(chunk);
	}
}

//! One chunk
class ChunkOnce : public ChunkReader {
public:
	explicit ChunkOnce(duckdb::DataChunk &rows_p) : rows(rows_p) {
	}
	void Next(duckdb::DataChunk &chunk) override {
		if (!done) {
			chunk.Reference(rows);
		}
		done = true;
	}
	duckdb::idx_t BatchIndex() const override {
		return 0;
	}

private:
	duckdb::DataChunk &rows;
	bool done = false;
};

} // namespace

std::vector<std::string> Samples() {
	std::vector<std::string> result;
	for (auto &sample : ColumnSamples()) {
		if (sample.types.empty()) {
			continue;
		}
		auto chunk = SampleRows(sample);
		ChunkOnce reader(*chunk);
		result.push_back(static_cast<char>(result.size()) + *EncodeRows(reader, sample.types, 1 << 20));
	}
	return result;
}

} // namespace duckherder::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	using namespace duckherder::fuzz;
	DecodeWithTypes(data, size, [](auto &types, const uint8_t *rest, size_t rest_size) {
		DecodeAll(types, Text(rest, rest_size));
	});
	return 0;
}
