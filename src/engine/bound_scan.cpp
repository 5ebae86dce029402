#include "engine/bound_scan.hpp"

#include "compat/names.hpp"
#include "wire/checked_deserializer.hpp"
#include "wire/serialized.hpp"

#include "duckdb/common/multi_file/multi_file_reader.hpp"
#include "duckdb/common/types/blob.hpp"
#include "duckdb/parser/parsed_expression.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

//! No path begins like this
constexpr const char *BOUND_SCAN_MARK = "\x01"
                                        "duckherder bound scan\x01";

void WriteColumn(Serializer &serializer, const MultiFileColumnDefinition &column) {
	serializer.WriteProperty(100, "name", column.name);
	serializer.WriteProperty(101, "type", column.type);
	serializer.WritePropertyWithDefault(102, "default", column.default_expression);
	serializer.WriteProperty(103, "identifier", column.identifier);
	serializer.WriteList(104, "children", column.children.size(), [&](Serializer::List &list, idx_t i) {
		list.WriteObject([&](Serializer &object) { WriteColumn(object, column.children[i]); });
	});
}

vector<MultiFileColumnDefinition> ReadColumns(Deserializer &deserializer, field_id_t field, const char *name);

MultiFileColumnDefinition ReadColumn(Deserializer &deserializer) {
	auto name = deserializer.ReadProperty<string>(100, "name");
	auto type = deserializer.ReadProperty<LogicalType>(101, "type");
	MultiFileColumnDefinition column(name, type);
	deserializer.ReadPropertyWithDefault(102, "default", column.default_expression);
	column.identifier = deserializer.ReadProperty<Value>(103, "identifier");
	column.children = ReadColumns(deserializer, 104, "children");
	return column;
}

vector<MultiFileColumnDefinition> ReadColumns(Deserializer &deserializer, field_id_t field, const char *name) {
	vector<MultiFileColumnDefinition> columns;
	deserializer.ReadList(field, name, [&](Deserializer::List &list, idx_t) {
		list.ReadObject([&](Deserializer &object) { columns.push_back(ReadColumn(object)); });
	});
	return columns;
}

string EncodeBoundScan(const MultiFileBindData &data) {
	auto &bind = data.reader_bind;
	auto bytes = Serialized([&](Serializer &serializer) {
		serializer.WriteProperty(100, "names", data.names);
		serializer.WriteProperty(101, "types", data.types);
		serializer.WriteObject(102, "reader", [&](Serializer &object) { bind.Serialize(object); });
		serializer.WriteProperty(103, "by_field_id", bind.mapping == MultiFileColumnMappingMode::BY_FIELD_ID);
		serializer.WriteList(104, "schema", bind.schema.size(), [&](Serializer::List &list, idx_t i) {
			list.WriteObject([&](Serializer &object) { WriteColumn(object, bind.schema[i]); });
		});
		serializer.WriteObject(105, "options", [&](Serializer &object) { data.file_options.Serialize(object); });
	});
	// DuckDB makes values of names, which are valid UTF-8.
	return BOUND_SCAN_MARK + Blob::ToBase64(string_t(bytes));
}

} // namespace

bool IsParquetScan(const LogicalGet &get) {
	auto &name = FunctionName(get.function);
	return (name == "parquet_scan" || name == "read_parquet") && get.bind_data && SerializedAsOneFile::IsPossible(get);
}

SerializeBoundScans::SerializeBoundScans(const vector<reference<LogicalOperator>> &operators) {
	for (auto &op : operators) {
		if (op.get().type != LogicalOperatorType::LOGICAL_GET) {
			continue;
		}
		auto &get = op.get().Cast<LogicalGet>();
		if (IsParquetScan(get)) {
			scans.emplace_back(get, EncodeBoundScan);
		}
	}
}

std::optional<BoundScan> DecodeBoundScan(const vector<string> &paths) {
	if (paths.size() != 1 || !StringUtil::StartsWith(paths[0], BOUND_SCAN_MARK)) {
		return std::nullopt;
	}
	BoundScan result;
	auto bytes = Blob::FromBase64(string_t(paths[0].substr(strlen(BOUND_SCAN_MARK))));
	CheckedDeserializer deserializer(bytes, CheckedDeserializer::Types::ALL);
	deserializer.Begin();
	result.names = deserializer.ReadProperty<vector<Identifier>>(100, "names");
	result.types = deserializer.ReadProperty<vector<LogicalType>>(101, "types");
	auto &bind = result.reader_bind;
	deserializer.ReadObject(102, "reader",
	                        [&](Deserializer &object) { bind = MultiFileReaderBindData::Deserialize(object); });
	bind.mapping = deserializer.ReadProperty<bool>(103, "by_field_id") ? MultiFileColumnMappingMode::BY_FIELD_ID
	                                                                   : MultiFileColumnMappingMode::BY_NAME;
	bind.schema = ReadColumns(deserializer, 104, "schema");
	deserializer.ReadObject(105, "options",
	                        [&](Deserializer &object) { result.options = MultiFileOptions::Deserialize(object); });
	deserializer.End();
	if (result.names.size() != result.types.size()) {
		throw SerializationException("A bound scan has %llu names for %llu columns", result.names.size(),
		                             result.types.size());
	}
	return result;
}

} // namespace duckherder
