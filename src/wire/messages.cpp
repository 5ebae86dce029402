#include "wire/messages.hpp"

#include "wire/checked_deserializer.hpp"
#include "wire/serialized.hpp"
#include "common/limits.hpp"

namespace duckherder {

using duckdb::field_id_t;
using duckdb::idx_t;
using duckdb::SerializationException;

namespace {

//! The first field of every message
enum class MessageKind : uint8_t {
	TASK_REQUEST = 1,
	TASK_RESULT = 2,
	FETCH_REQUEST = 3,
	WORKER_INFO = 4,
	WORKER_LIST = 5,
	TASK_ERROR = 6,
	TYPES = 7,
	PARTS = 8,
	SESSION_REQUEST = 9,
	SESSION_INFO = 10,
	CATALOG_LISTING = 11,
	SESSION_STATEMENT = 12,
	RESULT_SHAPE = 13
};
constexpr field_id_t KIND_FIELD = 1;

// Each message lists its fields once, in a function template that a FieldWriter and a FieldReader go through. A reader
// leaves a field that is not there as it is, so the defaults of a message are those of its struct.

class FieldWriter {
public:
	explicit FieldWriter(duckdb::Serializer &serializer_p) : serializer(serializer_p) {
	}

	template <class T>
	void Field(field_id_t id, const char *name, const T &value) {
		serializer.WriteProperty(id, name, value);
	}
	template <class E>
	void Enum(field_id_t id, const char *name, const E &value, E) {
		serializer.WriteProperty(id, name, static_cast<uint8_t>(value));
	}
	template <class T>
	void List(field_id_t id, const char *name, const std::vector<T> &values) {
		serializer.WriteList(id, name, values.size(),
		                     [&](duckdb::Serializer::List &list, idx_t i) { list.WriteElement(values[i]); });
	}
	template <class T>
	void Object(field_id_t id, const char *name, const T &value) {
		serializer.WriteObject(id, name, [&](duckdb::Serializer &object) {
			FieldWriter writer(object);
			Fields(writer, value);
		});
	}
	template <class T>
	void Objects(field_id_t id, const char *name, const std::vector<T> &values) {
		serializer.WriteList(id, name, values.size(), [&](duckdb::Serializer::List &list, idx_t i) {
			list.WriteObject([&](duckdb::Serializer &object) {
				FieldWriter writer(object);
				Fields(writer, values[i]);
			});
		});
	}
	//! A list of one or none
	template <class T>
	void OptionalObject(field_id_t id, const char *name, const std::optional<T> &value) {
		Objects(id, name, value ? std::vector<T> {*value} : std::vector<T>());
	}
	void Text(field_id_t id, const char *name, const std::shared_ptr<const std::string> &value) {
		serializer.WriteProperty(id, name, value ? *value : std::string());
	}
	//! An empty one becomes null
	void OptionalList(field_id_t id, const char *name, const std::shared_ptr<const std::vector<std::string>> &values) {
		List(id, name, values ? *values : std::vector<std::string>());
	}
	void Types(field_id_t id, const char *name, const duckdb::vector<duckdb::LogicalType> &types) {
		Field(id, name, types);
	}
	template <class T>
	void SharedObjects(field_id_t id, const char *name, const std::shared_ptr<const std::vector<T>> &values) {
		Objects(id, name, values ? *values : std::vector<T>());
	}

private:
	duckdb::Serializer &serializer;
};

class FieldReader {
public:
	explicit FieldReader(duckdb::Deserializer &deserializer_p) : deserializer(deserializer_p) {
	}

	template <class T>
	void Field(field_id_t id, const char *name, T &value) {
		deserializer.ReadPropertyWithExplicitDefault<T>(id, name, value, T(value));
	}
	template <class E>
	void Enum(field_id_t id, const char *name, E &value, E last) {
		auto number = static_cast<uint8_t>(value);
		Field(id, name, number);
		if (number > static_cast<uint8_t>(last)) {
			throw SerializationException("%s is %d, which is unknown here", name, number);
		}
		value = static_cast<E>(number);
	}
	template <class T>
	void List(field_id_t id, const char *name, std::vector<T> &values) {
		deserializer.ReadOptionalList(id, name, [&](duckdb::Deserializer::List &list, idx_t) {
			values.push_back(list.template ReadElement<T>());
		});
	}
	template <class T>
	void Object(field_id_t id, const char *name, T &value) {
		deserializer.ReadObject(id, name, [&](duckdb::Deserializer &object) {
			FieldReader reader(object);
			Fields(reader, value);
		});
	}
	template <class T>
	void Objects(field_id_t id, const char *name, std::vector<T> &values) {
		deserializer.ReadOptionalList(id, name, [&](duckdb::Deserializer::List &list, idx_t) {
			list.ReadObject([&](duckdb::Deserializer &object) {
				values.emplace_back();
				FieldReader reader(object);
				Fields(reader, values.back());
			});
		});
	}
	template <class T>
	void OptionalObject(field_id_t id, const char *name, std::optional<T> &value) {
		std::vector<T> objects;
		Objects(id, name, objects);
		value = objects.empty() ? std::nullopt : std::optional<T>(objects[0]);
	}
	void Text(field_id_t id, const char *name, std::shared_ptr<const std::string> &value) {
		std::string text;
		Field(id, name, text);
		value = std::make_shared<const std::string>(std::move(text));
	}
	void OptionalList(field_id_t id, const char *name, std::shared_ptr<const std::vector<std::string>> &values) {
		std::vector<std::string> texts;
		List(id, name, texts);
		values = texts.empty() ? nullptr : std::make_shared<const std::vector<std::string>>(std::move(texts));
	}
	void Types(field_id_t id, const char *name, duckdb::vector<duckdb::LogicalType> &types) {
		Field(id, name, types);
		for (auto &type : types) {
			CheckColumnType(type);
		}
	}
	template <class T>
	void SharedObjects(field_id_t id, const char *name, std::shared_ptr<const std::vector<T>> &values) {
		std::vector<T> objects;
		Objects(id, name, objects);
		values = std::make_shared<const std::vector<T>>(std::move(objects));
	}

private:
	duckdb::Deserializer &deserializer;
};

//! T or const T, so that one list of fields serves both directions
template <class T, class MESSAGE>
concept Is = std::is_same_v<std::remove_const_t<T>, MESSAGE>;

template <class FIELDS, Is<CollectedKey> T>
void Fields(FIELDS &fields, T &key) {
	fields.Field(10, "column", key.column);
	fields.Field(11, "log2_bits", key.log2_bits);
}

template <class FIELDS, Is<Exchange> T>
void Fields(FIELDS &fields, T &exchange) {
	fields.Enum(10, "kind", exchange.kind, ExchangeKind::ROUND_ROBIN);
	fields.List(11, "key_columns", exchange.key_columns);
	fields.Field(12, "partition_count", exchange.partition_count);
	fields.Field(13, "column_count", exchange.column_count);
	fields.Field(14, "ordered", exchange.ordered);
	fields.Objects(15, "collected_keys", exchange.collected_keys);
}

template <class FIELDS, Is<OutputSlice> T>
void Fields(FIELDS &fields, T &slice) {
	fields.Field(10, "stage", slice.stage);
	fields.Field(11, "first_task", slice.first_task);
	fields.Field(12, "end_task", slice.end_task);
}

template <class FIELDS, Is<LocalFileVersion> T>
void Fields(FIELDS &fields, T &version) {
	fields.Field(10, "host", version.host);
	fields.Field(11, "device", version.device);
	fields.Field(12, "inode", version.inode);
	fields.Field(13, "size_bytes", version.size_bytes);
	fields.Field(14, "modified_ns", version.modified_ns);
}

template <class FIELDS, Is<ScanFile> T>
void Fields(FIELDS &fields, T &file) {
	fields.Field(10, "path", file.path);
	fields.Field(11, "has_version", file.has_version);
	fields.Field(12, "immutable", file.immutable);
	fields.Field(13, "size_bytes", file.size_bytes);
	fields.Field(14, "etag", file.etag);
	fields.Field(15, "last_modified_us", file.last_modified_us);
	fields.Field(16, "footer_bytes", file.footer_bytes);
	fields.Field(17, "written", file.written);
	fields.OptionalObject(18, "local", file.local);
	fields.Field(19, "footer_hash", file.footer_hash);
}

template <class FIELDS, Is<ScanSplit> T>
void Fields(FIELDS &fields, T &split) {
	fields.Enum(10, "kind", split.kind, SplitKind::FEED);
	fields.Field(11, "table_index", split.table_index);
	fields.Objects(12, "files", split.files);
	fields.Field(13, "row_start", split.row_start);
	fields.Field(14, "row_end", split.row_end);
	fields.Field(15, "modulus", split.modulus);
	fields.Field(16, "remainder", split.remainder);
	fields.Field(17, "fed", split.fed);
	fields.Field(18, "partition", split.partition);
	fields.Field(19, "partition_count", split.partition_count);
	fields.Object(20, "slice", split.slice);
}

template <class FIELDS, Is<WorkerAddress> T>
void Fields(FIELDS &fields, T &address) {
	fields.Field(10, "id", address.id);
	fields.Field(11, "location", address.location);
}

template <class FIELDS, Is<OutputLocation> T>
void Fields(FIELDS &fields, T &output) {
	fields.Field(10, "task", output.task);
	fields.Field(11, "attempt", output.attempt);
	fields.Object(12, "worker", output.worker);
	fields.OptionalList(13, "rows", output.rows);
}

template <class FIELDS, Is<StageInput> T>
void Fields(FIELDS &fields, T &input) {
	fields.Field(10, "stage", input.stage);
	fields.Enum(11, "kind", input.kind, ExchangeKind::ROUND_ROBIN);
	fields.Objects(12, "outputs", input.outputs);
	fields.Field(13, "whole", input.whole);
	fields.Field(14, "partition_count", input.partition_count);
}

template <class FIELDS, Is<ScanFilter> T>
void Fields(FIELDS &fields, T &filter) {
	fields.Field(10, "column", filter.column);
	fields.Text(11, "key_set", filter.key_set);
}

template <class FIELDS, Is<std::pair<std::string, std::string>> T>
void Fields(FIELDS &fields, T &setting) {
	fields.Field(10, "name", setting.first);
	fields.Field(11, "value", setting.second);
}

template <class FIELDS, Is<TaskRequest> T>
void Fields(FIELDS &fields, T &request) {
	fields.Field(10, "query_id", request.query_id);
	fields.Field(11, "stage_id", request.stage_id);
	fields.Field(12, "task_id", request.task_id);
	fields.Field(13, "attempt", request.attempt);
	fields.Field(14, "worker_id", request.worker_id);
	fields.Text(15, "fragment", request.fragment);
	fields.Object(16, "output", request.output);
	fields.Object(17, "split", request.split);
	fields.SharedObjects(18, "inputs", request.inputs);
	fields.Objects(19, "settings", request.settings);
	fields.Field(20, "transaction_start_us", request.transaction_start_us);
	fields.Objects(21, "scan_filters", request.scan_filters);
	fields.Field(22, "inline_bytes_max", request.inline_bytes_max);
	fields.Field(23, "stage_version", request.stage_version);
}

template <class FIELDS, Is<TaskError> T>
void Fields(FIELDS &fields, T &error) {
	fields.Enum(10, "kind", error.kind, ErrorKind::OVERLOADED);
	fields.Field(11, "exception_type", error.exception_type);
	fields.Field(12, "message", error.message);
	fields.Field(13, "worker_id", error.worker_id);
	fields.Field(14, "lost_worker", error.lost_worker);
	fields.Field(15, "breaks_worker", error.breaks_worker);
	fields.Objects(16, "extra_info", error.extra_info);
}

template <class FIELDS, Is<TaskResult> T>
void Fields(FIELDS &fields, T &result) {
	fields.Field(10, "failed", result.failed);
	fields.Object(11, "error", result.error);
	fields.List(12, "partition_rows", result.partition_rows);
	fields.List(13, "partition_bytes", result.partition_bytes);
	fields.Field(14, "input_rows", result.input_rows);
	fields.Field(15, "duration_us", result.duration_us);
	fields.Field(16, "pruned_rows", result.pruned_rows);
	fields.List(17, "key_sets", result.key_sets);
	fields.Field(18, "spilled_bytes", result.spilled_bytes);
	fields.List(19, "inline_rows", result.inline_rows);
}

template <class FIELDS, Is<FetchRequest> T>
void Fields(FIELDS &fields, T &request) {
	fields.Field(10, "query_id", request.query_id);
	fields.Field(11, "stage_id", request.stage_id);
	fields.Field(12, "task_id", request.task_id);
	fields.Field(13, "attempt", request.attempt);
	fields.Field(14, "partition", request.partition);
	fields.Field(15, "worker_id", request.worker_id);
	fields.Field(16, "partition_count", request.partition_count);
}

template <class FIELDS, Is<ExtensionVersion> T>
void Fields(FIELDS &fields, T &extension) {
	fields.Field(10, "name", extension.name);
	fields.Field(11, "version", extension.version);
}

template <class FIELDS, Is<WorkerInfo> T>
void Fields(FIELDS &fields, T &info) {
	fields.Object(10, "address", info.address);
	fields.Enum(11, "state", info.state, WorkerState::BROKEN);
	fields.Field(12, "duckdb_version", info.duckdb_version);
	fields.Field(13, "protocol_version", info.protocol_version);
	fields.Field(14, "threads", info.threads);
	fields.Field(15, "memory_limit_bytes", info.memory_limit_bytes);
	fields.Field(16, "memory_used_bytes", info.memory_used_bytes);
	fields.Field(17, "running_tasks", info.running_tasks);
	fields.Field(18, "heartbeat_age_ms", info.heartbeat_age_ms);
	fields.Field(19, "sends_heartbeats", info.sends_heartbeats);
	fields.Field(20, "leased_queries", info.leased_queries);
	fields.Objects(21, "extensions", info.extensions);
	fields.Field(22, "incarnation", info.incarnation);
}

template <class FIELDS, Is<SessionRequest> T>
void Fields(FIELDS &fields, T &request) {
	fields.Field(10, "duckdb_version", request.duckdb_version);
	fields.Field(11, "protocol_version", request.protocol_version);
	fields.Field(12, "database", request.database);
	fields.Field(13, "read_only", request.read_only);
	fields.Field(14, "wants_functions", request.wants_functions);
}

template <class FIELDS, Is<SessionInfo> T>
void Fields(FIELDS &fields, T &info) {
	fields.Field(10, "id", info.id);
	fields.Field(11, "driver_instance", info.driver_instance);
	fields.Field(12, "database", info.database);
	fields.Field(13, "default_schema", info.default_schema);
	fields.Field(14, "catalog_type", info.catalog_type);
	fields.Field(15, "read_only", info.read_only);
	fields.List(16, "functions", info.functions);
}

template <class FIELDS, Is<CatalogListing> T>
void Fields(FIELDS &fields, T &listing) {
	fields.Field(10, "unchanged", listing.unchanged);
	fields.Field(11, "has_version", listing.has_version);
	fields.Field(12, "version", listing.version);
	fields.Field(13, "items", listing.items);
}

template <class FIELDS, Is<SessionStatement> T>
void Fields(FIELDS &fields, T &statement) {
	fields.Field(10, "session", statement.session);
	fields.Enum(11, "kind", statement.kind, StatementKind::SQL);
	fields.Field(12, "body", statement.body);
	fields.Field(13, "text", statement.text);
	fields.Field(14, "writes", statement.writes);
	fields.Field(15, "buffered", statement.buffered);
	fields.Objects(16, "settings", statement.settings);
	fields.Field(17, "transaction_start_us", statement.transaction_start_us);
}

template <class FIELDS, Is<ResultShape> T>
void Fields(FIELDS &fields, T &shape) {
	fields.List(10, "names", shape.names);
	fields.Types(11, "types", shape.types);
}

template <class FIELDS, Is<std::vector<WorkerInfo>> T>
void Fields(FIELDS &fields, T &workers) {
	fields.Objects(10, "workers", workers);
}

template <class FIELDS, Is<std::vector<std::string>> T>
void Fields(FIELDS &fields, T &parts) {
	fields.List(10, "parts", parts);
}

template <class FIELDS, Is<duckdb::vector<duckdb::LogicalType>> T>
void Fields(FIELDS &fields, T &types) {
	fields.Types(10, "types", types);
}

void CheckSize(const char *name, idx_t size) {
	if (size > limits::CONTROL_MESSAGE_BYTES_MAX) {
		throw SerializationException("a %s of %llu bytes is larger than the %llu that a message may have", name, size,
		                             limits::CONTROL_MESSAGE_BYTES_MAX);
	}
}

template <class T>
std::string Encode(MessageKind kind, const char *name, const T &message) {
	auto bytes = Serialized([&](duckdb::Serializer &serializer) {
		serializer.WriteProperty(KIND_FIELD, "kind", static_cast<uint8_t>(kind));
		FieldWriter writer(serializer);
		Fields(writer, message);
	});
	CheckSize(name, bytes.size());
	return bytes;
}

template <class T>
T Decode(MessageKind kind, const char *name, const std::string &bytes) {
	CheckSize(name, bytes.size());
	T message;
	try {
		CheckedDeserializer deserializer(bytes, CheckedDeserializer::Types::COLUMNS);
		deserializer.Begin();
		auto found = deserializer.ReadProperty<uint8_t>(KIND_FIELD, "kind");
		if (found != static_cast<uint8_t>(kind)) {
			throw SerializationException("it is a message of kind %d", found);
		}
		FieldReader reader(deserializer);
		Fields(reader, message);
		deserializer.End();
	} catch (const std::exception &error) {
		// A length that says more than there is may also end as a failed allocation.
		throw SerializationException("these %llu bytes are not a %s: %s", bytes.size(), name,
		                             duckdb::ErrorData(error).RawMessage());
	}
	return message;
}

} // namespace

std::string EncodeTaskRequest(const TaskRequest &request) {
	return Encode(MessageKind::TASK_REQUEST, "TaskRequest", request);
}

std::string EncodeTaskRequestWithoutStage(const TaskRequest &request) {
	auto without_stage = request;
	without_stage.fragment = nullptr;
	without_stage.inputs = nullptr;
	without_stage.scan_filters.clear();
	without_stage.settings.clear();
	return EncodeTaskRequest(without_stage);
}

TaskRequest DecodeTaskRequest(const std::string &bytes) {
	return Decode<TaskRequest>(MessageKind::TASK_REQUEST, "TaskRequest", bytes);
}

std::string EncodeTaskResult(const TaskResult &result) {
	return Encode(MessageKind::TASK_RESULT, "TaskResult", result);
}

TaskResult DecodeTaskResult(const std::string &bytes) {
	return Decode<TaskResult>(MessageKind::TASK_RESULT, "TaskResult", bytes);
}

std::string EncodeFetchRequest(const FetchRequest &request) {
	return Encode(MessageKind::FETCH_REQUEST, "FetchRequest", request);
}

FetchRequest DecodeFetchRequest(const std::string &bytes) {
	return Decode<FetchRequest>(MessageKind::FETCH_REQUEST, "FetchRequest", bytes);
}

std::string EncodeWorkerInfo(const WorkerInfo &info) {
	return Encode(MessageKind::WORKER_INFO, "WorkerInfo", info);
}

WorkerInfo DecodeWorkerInfo(const std::string &bytes) {
	return Decode<WorkerInfo>(MessageKind::WORKER_INFO, "WorkerInfo", bytes);
}

std::string EncodeWorkerList(const std::vector<WorkerInfo> &workers) {
	return Encode(MessageKind::WORKER_LIST, "list of WorkerInfo", workers);
}

std::vector<WorkerInfo> DecodeWorkerList(const std::string &bytes) {
	return Decode<std::vector<WorkerInfo>>(MessageKind::WORKER_LIST, "list of WorkerInfo", bytes);
}

std::string EncodeTaskError(const TaskError &error) {
	return Encode(MessageKind::TASK_ERROR, "TaskError", error);
}

TaskError DecodeTaskError(const std::string &bytes) {
	return Decode<TaskError>(MessageKind::TASK_ERROR, "TaskError", bytes);
}

std::string EncodeTypes(const duckdb::vector<duckdb::LogicalType> &types) {
	return Encode(MessageKind::TYPES, "list of types", types);
}

duckdb::vector<duckdb::LogicalType> DecodeTypes(const std::string &bytes) {
	return Decode<duckdb::vector<duckdb::LogicalType>>(MessageKind::TYPES, "list of types", bytes);
}

std::string EncodeSessionRequest(const SessionRequest &request) {
	return Encode(MessageKind::SESSION_REQUEST, "SessionRequest", request);
}

SessionRequest DecodeSessionRequest(const std::string &bytes) {
	return Decode<SessionRequest>(MessageKind::SESSION_REQUEST, "SessionRequest", bytes);
}

std::string EncodeSessionInfo(const SessionInfo &info) {
	return Encode(MessageKind::SESSION_INFO, "SessionInfo", info);
}

SessionInfo DecodeSessionInfo(const std::string &bytes) {
	return Decode<SessionInfo>(MessageKind::SESSION_INFO, "SessionInfo", bytes);
}

std::string EncodeCatalogListing(const CatalogListing &listing) {
	return Encode(MessageKind::CATALOG_LISTING, "CatalogListing", listing);
}

CatalogListing DecodeCatalogListing(const std::string &bytes) {
	return Decode<CatalogListing>(MessageKind::CATALOG_LISTING, "CatalogListing", bytes);
}

std::string EncodeSessionStatement(const SessionStatement &statement) {
	return Encode(MessageKind::SESSION_STATEMENT, "SessionStatement", statement);
}

SessionStatement DecodeSessionStatement(const std::string &bytes) {
	return Decode<SessionStatement>(MessageKind::SESSION_STATEMENT, "SessionStatement", bytes);
}

std::string EncodeResultShape(const ResultShape &shape) {
	return Encode(MessageKind::RESULT_SHAPE, "ResultShape", shape);
}

ResultShape DecodeResultShape(const std::string &bytes) {
	return Decode<ResultShape>(MessageKind::RESULT_SHAPE, "ResultShape", bytes);
}

std::string EncodeParts(const std::vector<std::string> &parts) {
	return Encode(MessageKind::PARTS, "list of parts", parts);
}

std::vector<std::string> DecodeParts(const std::string &bytes) {
	return Decode<std::vector<std::string>>(MessageKind::PARTS, "list of parts", bytes);
}

} // namespace duckherder
