#include "wire/arrow_rows.hpp"

#include "common/limits.hpp"
#include "compat/names.hpp"
#include "compat/vectors.hpp"

#include "duckdb/common/arrow/arrow_appender.hpp"
#include "duckdb/common/arrow/arrow_converter.hpp"
#include "duckdb/common/arrow/arrow_type_extension.hpp"
#include "duckdb/common/vector_operations/vector_operations.hpp"
#include "duckdb/function/table/arrow.hpp"

#include <arrow/c/bridge.h>
#include <arrow/ipc/writer.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>
#include <arrow/type.h>

namespace duckherder {

using namespace duckdb;

namespace {

template <class T>
T Checked(arrow::Result<T> result) {
	if (!result.ok()) {
		throw InvalidInputException("Rows cannot be read or written as Arrow: %s", result.status().message());
	}
	return std::move(result).ValueUnsafe();
}

void Check(const arrow::Status &status) {
	if (!status.ok()) {
		throw InvalidInputException("Rows cannot be read or written as Arrow: %s", status.message());
	}
}

//! Types that the binder has left open
LogicalType Decided(const LogicalType &type) {
	return type.id() == LogicalTypeId::UNKNOWN ? LogicalType::VARCHAR : type;
}

} // namespace

ArrowTypes::ArrowTypes() {
	DBConfig config;
	// it runs no queries
	config.options.maximum_threads = 1;
	database = std::make_unique<DuckDB>(nullptr, &config);
	connection = std::make_unique<Connection>(*database);
}

ArrowTypes::~ArrowTypes() = default;

ClientProperties ArrowTypes::Properties() {
	ClientProperties properties;
	properties.client_context = connection->context.get();
	return properties;
}

std::shared_ptr<arrow::Schema> ArrowTypes::SchemaOf(const vector<LogicalType> &types,
                                                    const std::vector<std::string> &names) {
	vector<LogicalType> decided;
	vector<string> column_names;
	for (idx_t i = 0; i < types.size(); i++) {
		decided.push_back(Decided(types[i]));
		column_names.push_back(names.at(i));
	}
	ArrowSchema schema;
	auto properties = Properties();
	ArrowConverter::ToArrowSchema(&schema, decided, column_names, properties);
	return Checked(arrow::ImportSchema(&schema));
}

namespace {

std::shared_ptr<arrow::Field> AsJdbcSends(const std::shared_ptr<arrow::Field> &field) {
	auto &type = field->type();
	switch (type->id()) {
	case arrow::Type::TIME64:
		return field->WithType(arrow::time32(arrow::TimeUnit::MILLI));
	case arrow::Type::TIMESTAMP: {
		// what it sends for a moment is the clock on its wall, whose zone nobody else knows
		auto is_moment = !static_cast<const arrow::TimestampType &>(*type).timezone().empty();
		return field->WithType(is_moment ? arrow::utf8() : arrow::timestamp(arrow::TimeUnit::MILLI));
	}
	case arrow::Type::LIST:
		return field->WithType(arrow::list(AsJdbcSends(type->field(0))));
	default:
		return field;
	}
}

} // namespace

std::shared_ptr<arrow::Schema> ArrowTypes::ParameterSchemaOf(const vector<LogicalType> &types,
                                                             const std::vector<std::string> &names) {
	auto schema = SchemaOf(types, names);
	arrow::FieldVector fields;
	for (auto &field : schema->fields()) {
		fields.push_back(AsJdbcSends(field));
	}
	return arrow::schema(std::move(fields));
}

vector<LogicalType> ArrowTypes::TypesOf(const arrow::Schema &schema) {
	ArrowSchemaWrapper exported;
	Check(arrow::ExportSchema(schema, &exported.arrow_schema));
	ArrowTableSchema table;
	ArrowTableFunction::PopulateArrowTableSchema(*connection->context, table, exported.arrow_schema);
	return table.GetTypes();
}

namespace {

void ReadColumn(const shared_ptr<ArrowArrayWrapper> &batch, const ArrowType &type, idx_t column, idx_t position,
                DataChunk &chunk, ArrowArrayScanState &state) {
	auto &array = *batch->arrow_array.children[column];
	auto &target = chunk.data[column];
	state.Reset();
	state.owned_data = batch;
	switch (type.GetPhysicalType()) {
	case ArrowArrayPhysicalType::DICTIONARY_ENCODED:
		ArrowToDuckDBConversion::ColumnArrowToDuckDBDictionary(target, array, position, state, chunk.size(), type);
		break;
	case ArrowArrayPhysicalType::RUN_END_ENCODED:
		ArrowToDuckDBConversion::ColumnArrowToDuckDBRunEndEncoded(target, array, position, state, chunk.size(), type);
		break;
	default:
		ArrowToDuckDBConversion::SetValidityMask(target, array, position, chunk.size(), batch->arrow_array.offset, -1);
		ArrowToDuckDBConversion::ColumnArrowToDuckDB(target, array, position, state, chunk.size(), type);
	}
}

} // namespace

void ArrowTypes::ReadBatch(const std::shared_ptr<arrow::RecordBatch> &batch,
                           const std::function<void(DataChunk &)> &take) {
	// offsets that lead out of the batch, text that is no UTF-8
	Check(batch->ValidateFull());
	auto &context = *connection->context;
	ArrowSchemaWrapper schema;
	Check(arrow::ExportSchema(*batch->schema(), &schema.arrow_schema));
	ArrowTableSchema table;
	ArrowTableFunction::PopulateArrowTableSchema(context, table, schema.arrow_schema);
	auto array = make_shared_ptr<ArrowArrayWrapper>();
	Check(arrow::ExportRecordBatch(*batch, &array->arrow_array));

	auto types = table.GetTypes();
	std::vector<std::unique_ptr<ArrowArrayScanState>> states;
	for (idx_t column = 0; column < types.size(); column++) {
		states.push_back(std::make_unique<ArrowArrayScanState>(context));
	}
	auto rows = static_cast<idx_t>(batch->num_rows());
	for (idx_t position = 0; position < rows; position += STANDARD_VECTOR_SIZE) {
		DataChunk chunk;
		chunk.Initialize(Allocator::DefaultAllocator(), types);
		chunk.SetChildCardinality(MinValue<idx_t>(STANDARD_VECTOR_SIZE, rows - position));
		for (idx_t column = 0; column < types.size(); column++) {
			ReadColumn(array, *table.GetColumns().at(column), column, position, chunk, *states[column]);
		}
		take(chunk);
	}
}

ArrowRowsEncoder::ArrowRowsEncoder(std::shared_ptr<ArrowTypes> types_p, vector<LogicalType> columns_p,
                                   const std::vector<std::string> &names)
    : types(std::move(types_p)), columns(std::move(columns_p)), schema(types->SchemaOf(columns, names)) {
}

ArrowRowsEncoder::~ArrowRowsEncoder() = default;

namespace {

//! Bytes that rows of the vector take in Arrow, about
double BytesOf(Vector &vector, idx_t count);

double BytesOfTexts(Vector &vector, idx_t count) {
	UnifiedVectorFormat format;
	vector.ToUnifiedFormat(count, format);
	auto texts = UnifiedVectorFormat::GetData<string_t>(format);
	auto bytes = static_cast<double>(count * sizeof(int32_t));
	for (idx_t row = 0; row < count; row++) {
		auto position = format.sel->get_index(row);
		if (format.validity.RowIsValid(position)) {
			bytes += static_cast<double>(texts[position].GetSize());
		}
	}
	return bytes;
}

double BytesOfLists(Vector &vector, idx_t count) {
	UnifiedVectorFormat format;
	vector.ToUnifiedFormat(count, format);
	auto lists = UnifiedVectorFormat::GetData<list_entry_t>(format);
	double elements = 0;
	for (idx_t row = 0; row < count; row++) {
		auto position = format.sel->get_index(row);
		if (format.validity.RowIsValid(position)) {
			elements += static_cast<double>(lists[position].length);
		}
	}
	// several rows may have the same list, and some of the elements belong to none
	auto kept = ListVector::GetListSize(vector);
	auto each = kept > 0 ? BytesOf(ListVector::GetChildMutable(vector), kept) / static_cast<double>(kept) : 0;
	return elements * each + static_cast<double>(count * sizeof(int32_t));
}

double BytesOf(Vector &vector, idx_t count) {
	switch (vector.GetType().InternalType()) {
	case PhysicalType::VARCHAR:
		return BytesOfTexts(vector, count);
	case PhysicalType::LIST:
		return BytesOfLists(vector, count);
	case PhysicalType::STRUCT:
	case PhysicalType::ARRAY: {
		// a copy: flat, so that its children have its rows
		Vector flat(vector.GetType(), count);
		VectorOperations::Copy(vector, flat, count, 0, 0);
		if (flat.GetType().InternalType() == PhysicalType::ARRAY) {
			return BytesOf(ArrayVector::GetChildMutable(flat), count * ArrayType::GetSize(flat.GetType()));
		}
		double bytes = 0;
		for (auto &child : StructVector::GetEntries(flat)) {
			bytes += BytesOf(ChildOf(child), count);
		}
		return bytes;
	}
	default:
		return static_cast<double>(count * GetTypeIdSize(vector.GetType().InternalType()));
	}
}

void Cut(const std::shared_ptr<arrow::RecordBatch> &batch, std::vector<std::shared_ptr<arrow::RecordBatch>> &pieces) {
	int64_t bytes = 0;
	Check(arrow::ipc::GetRecordBatchSize(*batch, &bytes));
	auto rows = batch->num_rows();
	if (rows <= 1 || bytes <= limits::CLIENT_BATCH_BYTES_MAX) {
		pieces.push_back(batch);
		return;
	}
	auto half = rows / 2;
	Cut(batch->Slice(0, half), pieces);
	Cut(batch->Slice(half), pieces);
}

} // namespace

std::vector<std::shared_ptr<arrow::RecordBatch>> CutBatch(const std::shared_ptr<arrow::RecordBatch> &batch) {
	std::vector<std::shared_ptr<arrow::RecordBatch>> pieces;
	Cut(batch, pieces);
	return pieces;
}

void ArrowRowsEncoder::Append(DataChunk &chunk) {
	double bytes = 0;
	for (auto &vector : chunk.data) {
		bytes += BytesOf(vector, chunk.size());
	}
	// in so many parts, as Arrow's buffers have a largest size
	auto parts = static_cast<idx_t>(bytes / static_cast<double>(limits::CLIENT_BATCH_BYTES_MAX)) + 1;
	auto rows = MaxValue<idx_t>(1, chunk.size() / parts);
	for (idx_t begin = 0; begin < chunk.size(); begin += rows) {
		auto end = MinValue<idx_t>(begin + rows, chunk.size());
		Append(chunk, begin, end);
		waiting_bytes +=
		    static_cast<uint64_t>(bytes * static_cast<double>(end - begin) / static_cast<double>(chunk.size()));
		if (appender->RowCount() >= limits::BATCH_ROWS || waiting_bytes >= limits::BATCH_BYTES) {
			Encode();
		}
	}
}

void ArrowRowsEncoder::Append(DataChunk &chunk, idx_t begin, idx_t end) {
	if (!appender) {
		auto extensions = ArrowTypeExtensionData::GetExtensionTypes(*types->connection->context, columns);
		appender = std::make_unique<ArrowAppender>(columns, end - begin, types->Properties(), extensions);
	}
	appender->Append(chunk, begin, end, chunk.size());
}

void ArrowRowsEncoder::Encode() {
	auto array = appender->Finalize();
	appender.reset();
	waiting_bytes = 0;
	for (auto &piece : CutBatch(Checked(arrow::ImportRecordBatch(&array, schema)))) {
		ready.push_back(std::move(piece));
	}
}

void ArrowRowsEncoder::Finish() {
	if (appender) {
		Encode();
	}
}

std::shared_ptr<arrow::RecordBatch> ArrowRowsEncoder::Take() {
	if (ready.empty()) {
		return nullptr;
	}
	auto batch = std::move(ready.front());
	ready.pop_front();
	return batch;
}

} // namespace duckherder
