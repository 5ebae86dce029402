#include "wire/row_codec.hpp"

#include "wire/chunk_codec.hpp"

#include "duckdb/common/exception.hpp"

#include <arrow/buffer.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/ipc/writer.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>

#include <cstring>

namespace duckherder {

using namespace duckdb;

namespace {

//! Before each batch. Eight bytes, as batches are multiples of them: so each lies where Arrow wants it.
struct BatchHeader {
	uint32_t bytes;
	uint32_t columns;
};

class EncodedRows : public ChunkSource, public std::enable_shared_from_this<EncodedRows> {
public:
	EncodedRows(std::shared_ptr<const std::string> bytes_p, vector<LogicalType> types_p)
	    : bytes(std::move(bytes_p)), types(std::move(types_p)) {
	}

	const vector<LogicalType> &Types() const override {
		return types;
	}
	idx_t MaxReaders() const override {
		return 1;
	}
	std::unique_ptr<ChunkReader> OpenReader() override;

	const std::shared_ptr<const std::string> bytes;
	const vector<LogicalType> types;
};

class EncodedRowsReader : public ChunkReader {
public:
	explicit EncodedRowsReader(std::shared_ptr<EncodedRows> source_p)
	    : source(std::move(source_p)), schema(WireSchema(source->types)), decoder(source->types) {
	}

	void Next(DataChunk &chunk) override {
		decoder.Next(chunk);
		while (chunk.size() == 0 && position < source->bytes->size()) {
			NextBatch();
			decoder.Next(chunk);
		}
	}

	idx_t BatchIndex() const override {
		return batch;
	}

private:
	void NextBatch() {
		auto &bytes = *source->bytes;
		BatchHeader header;
		if (bytes.size() - position < sizeof(header)) {
			throw IOException("rows in a message end in the middle");
		}
		memcpy(&header, bytes.data() + position, sizeof(header));
		position += sizeof(header);
		if (bytes.size() - position < header.bytes) {
			throw IOException("rows in a message end in the middle");
		}
		if (header.columns != source->types.size()) {
			throw IOException("rows in a message have %d columns instead of %llu", header.columns,
			                  idx_t(source->types.size()));
		}
		decoder.SetBatch(ReadBatch(bytes.data() + position, header.bytes));
		position += header.bytes;
		batch++;
	}

	std::shared_ptr<arrow::RecordBatch> ReadBatch(const char *data, uint32_t size) const {
		// refers to the bytes, which the source holds as long as this reader
		auto buffer = std::make_shared<arrow::Buffer>(reinterpret_cast<const uint8_t *>(data), size);
		arrow::io::BufferReader input(buffer);
		auto message = arrow::ipc::ReadMessage(&input);
		if (!message.ok()) {
			throw IOException("these bytes are no rows: %s", message.status().ToString());
		}
		if (!*message) {
			throw IOException("these bytes are no rows: there is no batch");
		}
		arrow::ipc::DictionaryMemo none;
		auto options = arrow::ipc::IpcReadOptions::Defaults();
		options.use_threads = false;
		// we do not compress: a batch that says how large it becomes is not ours
		options.memory_pool = NoMemory();
		auto result = arrow::ipc::ReadRecordBatch(**message, schema, &none, options);
		if (!result.ok()) {
			throw IOException("these bytes are no rows: %s", result.status().ToString());
		}
		return result.MoveValueUnsafe();
	}

	static arrow::MemoryPool *NoMemory() {
		static arrow::CappedMemoryPool pool(arrow::default_memory_pool(), 0);
		return &pool;
	}

	std::shared_ptr<EncodedRows> source;
	std::shared_ptr<arrow::Schema> schema;
	ChunkDecoder decoder;
	idx_t position = 0;
	idx_t batch = 0;
};

std::unique_ptr<ChunkReader> EncodedRows::OpenReader() {
	return std::make_unique<EncodedRowsReader>(shared_from_this());
}

void AppendBatch(const arrow::RecordBatch &batch, std::string &result) {
	auto options = arrow::ipc::IpcWriteOptions::Defaults();
	auto bytes = arrow::ipc::SerializeRecordBatch(batch, options);
	if (!bytes.ok()) {
		throw OutOfMemoryException("no memory for rows in a message: %s", bytes.status().ToString());
	}
	BatchHeader header {NumericCast<uint32_t>((*bytes)->size()), NumericCast<uint32_t>(batch.num_columns())};
	result.append(reinterpret_cast<const char *>(&header), sizeof(header));
	result.append(reinterpret_cast<const char *>((*bytes)->data()), header.bytes);
}

} // namespace

std::optional<std::string> EncodeRows(ChunkReader &reader, const vector<LogicalType> &types, uint64_t bytes_max) {
	std::string result;
	ChunkEncoder encoder(types);
	DataChunk chunk;
	chunk.Initialize(Allocator::DefaultAllocator(), types);
	while (true) {
		chunk.Reset();
		reader.Next(chunk);
		idx_t position = 0;
		while (position < chunk.size()) {
			if (auto batch = encoder.Append(chunk, position)) {
				AppendBatch(*batch, result);
			}
		}
		auto ended = chunk.size() == 0;
		if (ended) {
			if (auto batch = encoder.Flush()) {
				AppendBatch(*batch, result);
			}
		}
		if (result.size() + encoder.WaitingBytes() > bytes_max) {
			return std::nullopt;
		}
		if (ended) {
			return result;
		}
	}
}

std::shared_ptr<ChunkSource> DecodeRows(std::shared_ptr<const std::string> bytes, vector<LogicalType> types) {
	return std::make_shared<EncodedRows>(std::move(bytes), std::move(types));
}

std::shared_ptr<ChunkSource> DecodePartitions(const std::vector<std::string> &partitions, uint32_t first,
                                              uint32_t count, vector<LogicalType> types) {
	if (idx_t(first) + count > partitions.size()) {
		throw IOException("partitions %llu to %llu of %llu", idx_t(first), idx_t(first) + count,
		                  idx_t(partitions.size()));
	}
	auto bytes = std::make_shared<std::string>();
	for (auto i = first; i < first + count; i++) {
		*bytes += partitions[i];
	}
	return DecodeRows(std::move(bytes), std::move(types));
}

} // namespace duckherder
