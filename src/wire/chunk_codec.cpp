#include "wire/chunk_codec.hpp"

#include "wire/column_decoder.hpp"
#include "wire/column_encoder.hpp"
#include "wire/column_types.hpp"
#include "common/limits.hpp"

#include "duckdb/common/exception.hpp"

#include <arrow/array/data.h>
#include <arrow/record_batch.h>
#include <arrow/status.h>
#include <arrow/type.h>
#include <arrow/util/align_util.h>
#include <arrow/util/byte_size.h>

namespace duckherder {

using duckdb::DataChunk;
using duckdb::idx_t;
using duckdb::LogicalType;
using duckdb::LogicalTypeId;
using duckdb::PhysicalType;

namespace {

//! What a batch needs besides its values: the message's own header
constexpr uint64_t MESSAGE_OVERHEAD_BYTES = 1ULL << 20;

std::shared_ptr<arrow::Field> WireField(const LogicalType &type, idx_t number);

std::shared_ptr<arrow::DataType> WireType(const LogicalType &type) {
	switch (type.InternalType()) {
	case PhysicalType::BOOL:
	case PhysicalType::UINT8:
		return arrow::uint8();
	case PhysicalType::INT8:
		return arrow::int8();
	case PhysicalType::UINT16:
		return arrow::uint16();
	case PhysicalType::INT16:
		return arrow::int16();
	case PhysicalType::UINT32:
		return arrow::uint32();
	case PhysicalType::INT32:
		return arrow::int32();
	case PhysicalType::UINT64:
		return arrow::uint64();
	case PhysicalType::INT64:
		return arrow::int64();
	case PhysicalType::FLOAT:
		return arrow::float32();
	case PhysicalType::DOUBLE:
		return arrow::float64();
	case PhysicalType::INT128:
	case PhysicalType::UINT128:
	case PhysicalType::INTERVAL:
		return arrow::fixed_size_binary(16);
	case PhysicalType::VARCHAR:
		return arrow::large_binary();
	case PhysicalType::LIST:
		return arrow::large_list(WireField(duckdb::ListType::GetChildType(type), 0));
	case PhysicalType::ARRAY:
		return arrow::fixed_size_list(WireField(duckdb::ArrayType::GetChildType(type), 0),
		                              static_cast<int32_t>(duckdb::ArrayType::GetSize(type)));
	case PhysicalType::STRUCT: {
		arrow::FieldVector fields;
		for (auto &child : duckdb::StructType::GetChildTypes(type)) {
			fields.push_back(WireField(child.second, fields.size()));
		}
		return arrow::struct_(fields);
	}
	default:
		throw duckdb::NotImplementedException("values of type %s cannot travel to another node", type.ToString());
	}
}

std::shared_ptr<arrow::Field> WireField(const LogicalType &type, idx_t number) {
	return arrow::field("c" + std::to_string(number), WireType(type));
}

} // namespace

bool HasWireType(const LogicalType &type) {
	// A pointer means nothing in another process.
	if (type.id() == LogicalTypeId::POINTER || OnlyInPlans(type.id())) {
		return false;
	}
	switch (type.InternalType()) {
	case PhysicalType::STRUCT:
		for (auto &child : duckdb::StructType::GetChildTypes(type)) {
			if (!HasWireType(child.second)) {
				return false;
			}
		}
		return true;
	case PhysicalType::LIST:
		return HasWireType(duckdb::ListType::GetChildType(type));
	case PhysicalType::ARRAY:
		return HasWireType(duckdb::ArrayType::GetChildType(type));
	case PhysicalType::INVALID:
	case PhysicalType::UNKNOWN:
		return false;
	default:
		return true;
	}
}

std::shared_ptr<arrow::Schema> WireSchema(const duckdb::vector<LogicalType> &types) {
	arrow::FieldVector fields;
	for (auto &type : types) {
		if (!HasWireType(type)) {
			throw duckdb::NotImplementedException("values of type %s cannot travel to another node", type.ToString());
		}
		fields.push_back(WireField(type, fields.size()));
	}
	return arrow::schema(std::move(fields));
}

uint64_t BytesOf(const arrow::RecordBatch &batch) {
	return static_cast<uint64_t>(arrow::util::TotalBufferSize(batch));
}

ChunkEncoder::ChunkEncoder(duckdb::vector<LogicalType> types_p) : types(std::move(types_p)), schema(WireSchema(types)) {
	for (auto &type : types) {
		columns.push_back(std::make_unique<ColumnEncoder>(type));
	}
}

ChunkEncoder::~ChunkEncoder() = default;

uint64_t ChunkEncoder::Measure(DataChunk &chunk, idx_t position, idx_t count) const {
	RowSet rows;
	rows.start = position;
	rows.count = count;
	uint64_t result = 0;
	for (auto &column : chunk.data) {
		result += ColumnEncoder::Measure(column, chunk.size(), rows);
	}
	return result;
}

idx_t ChunkEncoder::RowsThatFit(DataChunk &chunk, idx_t position, uint64_t &bytes) const {
	auto count = std::min<idx_t>(chunk.size() - position, limits::BATCH_ROWS - waiting_rows);
	bytes = Measure(chunk, position, count);
	if (waiting_bytes + bytes <= limits::BATCH_BYTES) {
		return count;
	}
	if (waiting_rows > 0) {
		return 0;
	}
	while (bytes > limits::BATCH_BYTES && count > 1) {
		count = (count + 1) / 2;
		bytes = Measure(chunk, position, count);
	}
	// A single row may be larger than a batch should be, but has to fit into a message.
	if (bytes > limits::MESSAGE_BYTES_MAX - MESSAGE_OVERHEAD_BYTES) {
		throw duckdb::OutOfRangeException("a row of %llu bytes is larger than the %llu that can travel between nodes",
		                                  bytes, limits::MESSAGE_BYTES_MAX - MESSAGE_OVERHEAD_BYTES);
	}
	return count;
}

std::shared_ptr<arrow::RecordBatch> ChunkEncoder::Append(DataChunk &chunk, idx_t &position) {
	while (position < chunk.size()) {
		RowSet rows;
		uint64_t bytes;
		rows.start = position;
		rows.count = RowsThatFit(chunk, position, bytes);
		if (rows.count == 0) {
			return Flush();
		}
		for (idx_t i = 0; i < columns.size(); i++) {
			columns[i]->Append(chunk.data[i], chunk.size(), rows);
		}
		position += rows.count;
		waiting_rows += rows.count;
		waiting_bytes += bytes;
		row_count += rows.count;
		if (waiting_rows >= limits::BATCH_ROWS || waiting_bytes >= limits::BATCH_BYTES) {
			return Flush();
		}
	}
	return nullptr;
}

std::shared_ptr<arrow::RecordBatch> ChunkEncoder::Flush() {
	if (waiting_rows == 0) {
		return nullptr;
	}
	std::vector<std::shared_ptr<arrow::ArrayData>> arrays;
	for (idx_t i = 0; i < columns.size(); i++) {
		arrays.push_back(columns[i]->Finish(schema->field(static_cast<int>(i))->type()));
	}
	auto rows = static_cast<int64_t>(waiting_rows);
	waiting_rows = 0;
	waiting_bytes = 0;
	return arrow::RecordBatch::Make(schema, rows, std::move(arrays));
}

ChunkDecoder::ChunkDecoder(duckdb::vector<LogicalType> types_p) : types(std::move(types_p)), schema(WireSchema(types)) {
}

void ChunkDecoder::SetBatch(std::shared_ptr<arrow::RecordBatch> batch_p) {
	if (!batch_p->schema()->Equals(*schema, false)) {
		throw duckdb::IOException("received a batch of (%s) where (%s) was expected", batch_p->schema()->ToString(),
		                          schema->ToString());
	}
	if (batch_p->num_rows() < 0 || static_cast<uint64_t>(batch_p->num_rows()) > limits::BATCH_ROWS) {
		throw duckdb::IOException("received a batch of %lld rows, more than %llu", batch_p->num_rows(),
		                          limits::BATCH_ROWS);
	}
	batch.reset();
	columns.clear();
	auto status = batch_p->Validate();
	for (int i = 0; status.ok() && i < batch_p->num_columns(); i++) {
		columns.push_back(batch_p->column_data(i));
		// Where a message begins in a network buffer, and with it the batch, is a matter of chance. DecodeColumn copes
		// with that, but the children of nested columns are not worth the trouble.
		if (!columns.back()->child_data.empty()) {
			status = arrow::util::EnsureAlignment(columns.back(), sizeof(int64_t), arrow::default_memory_pool())
			             .Value(&columns.back());
		}
	}
	if (!status.ok()) {
		throw duckdb::IOException("received a broken batch: %s", status.ToString());
	}
	batch = std::move(batch_p);
	position = 0;
}

void ChunkDecoder::Next(DataChunk &chunk) {
	chunk.Reset();
	if (!batch) {
		return;
	}
	auto rows = static_cast<idx_t>(batch->num_rows());
	auto count = std::min<idx_t>(rows - position, STANDARD_VECTOR_SIZE);
	if (count == 0) {
		return;
	}
	for (idx_t i = 0; i < types.size(); i++) {
		DecodeColumn(*columns[i], position, count, chunk.data[i]);
	}
	chunk.SetChildCardinality(count);
	position += count;
}

} // namespace duckherder
