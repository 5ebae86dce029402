#include "compat/scan_serialization.hpp"

#include "duckdb/common/multi_file/multi_file_list.hpp"

#include <algorithm>
#include <atomic>

namespace duckherder {

using namespace duckdb;

SerializedAsOneFile::SerializedAsOneFile(SerializedAsOneFile &&other) noexcept
    : get(other.get), arguments(std::move(other.arguments)) {
	other.get = nullptr;
}

#if DUCKHERDER_DUCKDB_MAJOR < 2

namespace {

//! DuckDB's own function, which is the same for all scans of one kind; set before the one here takes its place.
std::atomic<table_function_serialize_t> duckdb_serialize {nullptr};
std::atomic<SerializedAsOneFile::PathOf> path_of_scan {nullptr};

void SerializeOneFile(Serializer &serializer, const optional_ptr<FunctionData> bind_data,
                      const TableFunction &function) {
	auto &data = bind_data->Cast<MultiFileBindData>();
	auto copy = data.Copy();
	vector<OpenFileInfo> files {OpenFileInfo(path_of_scan.load()(data))};
	copy->Cast<MultiFileBindData>().file_list = make_shared_ptr<SimpleMultiFileList>(std::move(files));
	duckdb_serialize.load()(serializer, copy.get(), function);
}

} // namespace

bool SerializedAsOneFile::IsPossible(const LogicalGet &get) {
	return get.function.serialize != nullptr;
}

SerializedAsOneFile::SerializedAsOneFile(LogicalGet &get_p, PathOf path_of) {
	if (get_p.function.serialize == SerializeOneFile) {
		return;
	}
	get = get_p;
	duckdb_serialize = get_p.function.serialize;
	path_of_scan = path_of;
	get_p.function.serialize = SerializeOneFile;
}

SerializedAsOneFile::~SerializedAsOneFile() {
	if (get) {
		get->function.serialize = duckdb_serialize.load();
	}
}

#else

namespace {

//! The session knows the key by a name, which only the Parquet extension itself can look up.
bool NamesKey(const LogicalGet &get) {
	auto config = get.named_parameters.find(Identifier("encryption_config"));
	if (config == get.named_parameters.end() || config->second.type().id() != LogicalTypeId::STRUCT) {
		return false;
	}
	auto &fields = StructType::GetChildTypes(config->second.type());
	return std::any_of(fields.begin(), fields.end(),
	                   [](auto &field) { return Identifier(field.first) == Identifier("footer_key"); });
}

} // namespace

bool SerializedAsOneFile::IsPossible(const LogicalGet &get) {
	// What may be empty is bound without columns where no file is known yet.
	auto allow_empty = get.named_parameters.find(Identifier("allow_empty"));
	auto may_be_empty = allow_empty != get.named_parameters.end() && !allow_empty->second.IsNull() &&
	                    allow_empty->second.DefaultCastAs(LogicalType::BOOLEAN).GetValue<bool>();
	return !get.function.HasSerializationCallbacks() && get.parameters.size() == 1 && !may_be_empty && !NamesKey(get);
}

SerializedAsOneFile::SerializedAsOneFile(LogicalGet &get_p, PathOf path_of)
    : get(get_p), arguments(std::move(get_p.parameters)) {
	get_p.parameters = {Value(path_of(get_p.bind_data->Cast<MultiFileBindData>()))};
}

SerializedAsOneFile::~SerializedAsOneFile() {
	if (get) {
		get->parameters = std::move(arguments);
	}
}

#endif

} // namespace duckherder
