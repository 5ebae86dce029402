#include "codec/row_codec.hpp"

#include "duckdb/common/serializer/binary_deserializer.hpp"
#include "duckdb/common/serializer/binary_serializer.hpp"
#include "duckdb/common/serializer/memory_stream.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! Before each chunk: how many bytes it has
using ChunkLength = uint32_t;

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
	explicit EncodedRowsReader(std::shared_ptr<EncodedRows> source_p) : source(std::move(source_p)) {
	}

	void Next(DataChunk &chunk) override {
		auto &bytes = *source->bytes;
		if (position == bytes.size()) {
			chunk.SetCardinality(0);
			return;
		}
		ChunkLength length = 0;
		if (bytes.size() - position < sizeof(length)) {
			throw IOException("rows in a message end in the middle");
		}
		memcpy(&length, bytes.data() + position, sizeof(length));
		position += sizeof(length);
		if (bytes.size() - position < length) {
			throw IOException("rows in a message end in the middle");
		}
		Decode(bytes.data() + position, length);
		position += length;
		batch++;
		chunk.Reference(decoded);
	}

	idx_t BatchIndex() const override {
		return batch;
	}

private:
	void Decode(const char *data, idx_t size) {
		decoded.Destroy();
		try {
			// the stream only reads, but takes a pointer that it could write to
			MemoryStream stream(data_ptr_cast(const_cast<char *>(data)), size);
			BinaryDeserializer deserializer(stream);
			deserializer.Begin();
			decoded.Deserialize(deserializer);
			deserializer.End();
		} catch (const std::exception &error) {
			throw IOException("these bytes are no rows: %s", ErrorData(error).RawMessage());
		}
		if (decoded.GetTypes() != source->types || decoded.size() == 0) {
			throw IOException("rows in a message have the types (%s) instead of (%s)",
			                  StringUtil::ToString(decoded.GetTypes(), ", "),
			                  StringUtil::ToString(source->types, ", "));
		}
	}

	std::shared_ptr<EncodedRows> source;
	idx_t position = 0;
	idx_t batch = 0;
	DataChunk decoded;
};

std::unique_ptr<ChunkReader> EncodedRows::OpenReader() {
	return std::make_unique<EncodedRowsReader>(shared_from_this());
}

} // namespace

std::optional<std::string> EncodeRows(ChunkReader &reader, const vector<LogicalType> &types, uint64_t bytes_max) {
	SerializationOptions options;
	// both ends run the same version, so nothing has to be left out for older readers
	options.serialization_compatibility = SerializationCompatibility::Latest();
	std::string result;
	DataChunk chunk;
	chunk.Initialize(Allocator::DefaultAllocator(), types);
	while (true) {
		chunk.Reset();
		reader.Next(chunk);
		if (chunk.size() == 0) {
			return result;
		}
		MemoryStream stream;
		BinarySerializer serializer(stream, options);
		serializer.Begin();
		chunk.Serialize(serializer);
		serializer.End();
		if (result.size() + stream.GetPosition() + sizeof(ChunkLength) > bytes_max) {
			return std::nullopt;
		}
		auto length = NumericCast<ChunkLength>(stream.GetPosition());
		result.append(reinterpret_cast<const char *>(&length), sizeof(length));
		result.append(const_char_ptr_cast(stream.GetData()), length);
	}
}

std::shared_ptr<ChunkSource> DecodeRows(std::shared_ptr<const std::string> bytes, vector<LogicalType> types) {
	return std::make_shared<EncodedRows>(std::move(bytes), std::move(types));
}

std::shared_ptr<ChunkSource> DecodePartitions(const std::vector<std::string> &partitions, uint32_t first,
                                              uint32_t count, vector<LogicalType> types) {
	if (first + count > partitions.size()) {
		throw InternalException("Partitions %llu to %llu of %llu", idx_t(first), idx_t(first) + count,
		                        idx_t(partitions.size()));
	}
	auto bytes = std::make_shared<std::string>();
	for (auto i = first; i < first + count; i++) {
		*bytes += partitions[i];
	}
	return DecodeRows(std::move(bytes), std::move(types));
}

} // namespace duckherder
