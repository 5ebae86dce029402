#include "codec/arrow_rows.hpp"

#include "common/limits.hpp"

#include "duckdb/common/arrow/arrow_appender.hpp"
#include "duckdb/common/arrow/arrow_converter.hpp"
#include "duckdb/common/arrow/arrow_type_extension.hpp"
#include "duckdb/function/table/arrow.hpp"

#include <arrow/c/bridge.h>
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
		chunk.SetCardinality(MinValue<idx_t>(STANDARD_VECTOR_SIZE, rows - position));
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

bool ArrowRowsEncoder::Append(DataChunk &chunk) {
	if (!appender) {
		auto extensions = ArrowTypeExtensionData::GetExtensionTypes(*types->connection->context, columns);
		appender = std::make_unique<ArrowAppender>(columns, chunk.size(), types->Properties(), extensions);
	}
	appender->Append(chunk, 0, chunk.size(), chunk.size());
	waiting_bytes += chunk.GetAllocationSize();
	return appender->RowCount() >= limits::BATCH_ROWS || waiting_bytes >= limits::BATCH_BYTES;
}

std::shared_ptr<arrow::RecordBatch> ArrowRowsEncoder::Flush() {
	if (!appender) {
		return nullptr;
	}
	auto array = appender->Finalize();
	appender.reset();
	waiting_bytes = 0;
	return Checked(arrow::ImportRecordBatch(&array, schema));
}

} // namespace duckherder
