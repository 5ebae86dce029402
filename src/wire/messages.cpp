#include "wire/messages.hpp"

#include "wire/checked_deserializer.hpp"
#include "wire/message_fields.hpp"
#include "wire/serialized.hpp"
#include "common/limits.hpp"

namespace duckherder {

using duckdb::field_id_t;
using duckdb::idx_t;
using duckdb::SerializationException;

namespace {

//! Each message and its kind, which is the first field of its bytes. A new message: its struct in protocol/, a number
//! that none has had, and a function Fields below.
#define DUCKHERDER_MESSAGES(MESSAGE)                                                                                   \
	MESSAGE(TaskRequest, 1)                                                                                            \
	MESSAGE(TaskResult, 2)                                                                                             \
	MESSAGE(FetchRequest, 3)                                                                                           \
	MESSAGE(WorkerInfo, 4)                                                                                             \
	MESSAGE(WorkerList, 5)                                                                                             \
	MESSAGE(TaskError, 6)                                                                                              \
	MESSAGE(ColumnTypes, 7)                                                                                            \
	MESSAGE(Parts, 8)                                                                                                  \
	MESSAGE(SessionRequest, 9)                                                                                         \
	MESSAGE(SessionInfo, 10)                                                                                           \
	MESSAGE(CatalogListing, 11)                                                                                        \
	MESSAGE(SessionStatement, 12)                                                                                      \
	MESSAGE(ResultShape, 13)                                                                                           \
	MESSAGE(Nothing, 14)                                                                                               \
	MESSAGE(WorkerRequest, 15)                                                                                         \
	MESSAGE(WorkerQueryRequest, 16)                                                                                    \
	MESSAGE(RenewLeaseRequest, 17)                                                                                     \
	MESSAGE(LoadExtensionRequest, 18)                                                                                  \
	MESSAGE(UnregisterWorkerRequest, 19)                                                                               \
	MESSAGE(HeartbeatReply, 20)                                                                                        \
	MESSAGE(AdmitQueryRequest, 21)                                                                                     \
	MESSAGE(AdmitQueryReply, 22)                                                                                       \
	MESSAGE(QueryRequest, 23)                                                                                          \
	MESSAGE(QueriesRequest, 24)                                                                                        \
	MESSAGE(SessionCallRequest, 25)                                                                                    \
	MESSAGE(SessionsRequest, 26)                                                                                       \
	MESSAGE(SessionProgress, 27)                                                                                       \
	MESSAGE(ListCatalogRequest, 28)                                                                                    \
	MESSAGE(DescribeRequest, 29)                                                                                       \
	MESSAGE(TableEstimates, 30)                                                                                        \
	MESSAGE(QueryReports, 31)                                                                                          \
	MESSAGE(KilledQueries, 32)

using ColumnTypes = duckdb::vector<duckdb::LogicalType>;
using Parts = std::vector<std::string>;

constexpr field_id_t KIND_FIELD = 1;

} // namespace

template <class FIELDS, Is<CollectedKey> T>
void Fields(FIELDS &fields, T &key) {
	fields.Field(10, "column", key.column);
	fields.Field(11, "log2_bits", key.log2_bits);
}

template <class FIELDS, Is<KeyOrder> T>
void Fields(FIELDS &fields, T &order) {
	fields.Field(10, "descending", order.descending);
	fields.Field(11, "nulls_first", order.nulls_first);
}

template <class FIELDS, Is<Exchange> T>
void Fields(FIELDS &fields, T &exchange) {
	fields.Enum(10, "kind", exchange.kind, LAST_EXCHANGE_KIND);
	fields.List(11, "key_columns", exchange.key_columns);
	fields.Field(12, "partition_count", exchange.partition_count);
	fields.Field(13, "column_count", exchange.column_count);
	fields.Field(14, "ordered", exchange.ordered);
	fields.Objects(15, "collected_keys", exchange.collected_keys);
	fields.Objects(16, "key_orders", exchange.key_orders);
	fields.List(17, "bounds", exchange.bounds);
}

//! A struct that lists its fields itself
template <class FIELDS, class T>
    requires requires(FIELDS &fields, T &object) { std::remove_const_t<T>::EachField(fields, object); }
void Fields(FIELDS &fields, T &object) {
	std::remove_const_t<T>::EachField(fields, object);
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
	fields.Field(10, "table_index", split.table_index);
	fields.Field(11, "fed", split.fed);
	fields.Variant(12, "part", split.part);
	fields.Object(13, "keys", split.keys);
	fields.Objects(14, "aligned", split.aligned);
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
	fields.Enum(11, "kind", input.kind, LAST_EXCHANGE_KIND);
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
	fields.Field(24, "worker_incarnation", request.worker_incarnation);
}

template <class FIELDS, Is<TaskError> T>
void Fields(FIELDS &fields, T &error) {
	fields.Enum(10, "kind", error.kind, ErrorKind::REPLACED);
	fields.Field(11, "exception_type", error.exception_type);
	fields.Field(12, "message", error.message);
	fields.Field(13, "worker_id", error.worker_id);
	fields.Field(14, "lost_worker", error.lost_worker);
	fields.Field(15, "breaks_worker", error.breaks_worker);
	fields.Objects(16, "extra_info", error.extra_info);
}

template <class FIELDS, Is<InputRead> T>
void Fields(FIELDS &fields, T &read) {
	fields.Field(10, "stage", read.stage);
	fields.Field(11, "inline_bytes", read.inline_bytes);
	fields.Field(12, "local_bytes", read.local_bytes);
	fields.Field(13, "network_bytes", read.network_bytes);
	fields.Field(14, "first_us", read.first_us);
	fields.Field(15, "last_us", read.last_us);
	fields.Field(16, "wait_us", read.wait_us);
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
	fields.Field(20, "key_sample", result.key_sample);
	fields.Field(21, "prepared_us", result.prepared_us);
	fields.Objects(22, "reads", result.reads);
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
	fields.Field(23, "kept_bytes", info.kept_bytes);
	fields.Field(24, "temporary_bytes", info.temporary_bytes);
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
	fields.Field(18, "explain_type", statement.explain_type);
	fields.Field(19, "explain_format", statement.explain_format);
	fields.Field(20, "traceparent", statement.traceparent);
}

template <class FIELDS, Is<ResultShape> T>
void Fields(FIELDS &fields, T &shape) {
	fields.List(10, "names", shape.names);
	fields.Types(11, "types", shape.types);
}

template <class FIELDS, Is<QueryReport> T>
void Fields(FIELDS &fields, T &report) {
	fields.Field(10, "query_id", report.query_id);
	fields.Field(11, "session", report.session);
	fields.Field(12, "sql", report.sql);
	fields.Field(13, "mode", report.mode);
	fields.Field(14, "state", report.state);
	fields.Field(15, "local_reason", report.local_reason);
	fields.Field(16, "error", report.error);
	fields.Field(17, "start_time_us", report.start_time_us);
	fields.Field(18, "duration_us", report.duration_us);
	fields.Field(19, "num_stages", report.num_stages);
	fields.Field(20, "num_workers_used", report.num_workers_used);
	fields.Field(21, "retries", report.retries);
	fields.Field(22, "bytes_exchanged", report.bytes_exchanged);
	fields.Field(23, "tasks", report.tasks);
	fields.Field(24, "tasks_done", report.tasks_done);
	fields.Field(25, "tasks_running", report.tasks_running);
	fields.Field(26, "scanned_rows", report.scanned_rows);
	fields.Field(27, "pruned_rows", report.pruned_rows);
	fields.Field(28, "spilled_bytes", report.spilled_bytes);
	fields.Field(29, "traced", report.traced);
}

template <class FIELDS, Is<KilledQueries> T>
void Fields(FIELDS &fields, T &killed) {
	fields.List(10, "queries", killed.queries);
}

template <class FIELDS, Is<QueryReports> T>
void Fields(FIELDS &fields, T &reports) {
	fields.Objects(10, "queries", reports.queries);
}

template <class FIELDS, Is<WorkerList> T>
void Fields(FIELDS &fields, T &list) {
	fields.Objects(10, "workers", list.workers);
}

template <class FIELDS, Is<Nothing> T>
void Fields(FIELDS &, T &) {
}

template <class FIELDS, Is<WorkerRequest> T>
void Fields(FIELDS &fields, T &request) {
	fields.Field(10, "worker", request.worker);
}

template <class FIELDS, Is<WorkerQueryRequest> T>
void Fields(FIELDS &fields, T &request) {
	fields.Field(10, "worker", request.worker);
	fields.Field(11, "query", request.query);
}

template <class FIELDS, Is<RenewLeaseRequest> T>
void Fields(FIELDS &fields, T &request) {
	fields.Field(10, "worker", request.worker);
	fields.Field(11, "query", request.query);
	fields.List(12, "lost_locations", request.lost_locations);
}

template <class FIELDS, Is<LoadExtensionRequest> T>
void Fields(FIELDS &fields, T &request) {
	fields.Field(10, "worker", request.worker);
	fields.Field(11, "extension", request.extension);
}

template <class FIELDS, Is<UnregisterWorkerRequest> T>
void Fields(FIELDS &fields, T &request) {
	fields.Field(10, "worker", request.worker);
	fields.Field(11, "incarnation", request.incarnation);
}

template <class FIELDS, Is<HeartbeatReply> T>
void Fields(FIELDS &fields, T &reply) {
	fields.Field(10, "known", reply.known);
}

template <class FIELDS, Is<AdmitQueryRequest> T>
void Fields(FIELDS &fields, T &request) {
	fields.Field(10, "query", request.query);
	fields.Field(11, "session", request.session);
	fields.Field(12, "wait_ms", request.wait_ms);
}

template <class FIELDS, Is<AdmitQueryReply> T>
void Fields(FIELDS &fields, T &reply) {
	fields.Field(10, "admitted", reply.admitted);
}

template <class FIELDS, Is<QueryRequest> T>
void Fields(FIELDS &fields, T &request) {
	fields.Field(10, "query", request.query);
}

template <class FIELDS, Is<QueriesRequest> T>
void Fields(FIELDS &fields, T &request) {
	fields.List(10, "queries", request.queries);
}

template <class FIELDS, Is<SessionCallRequest> T>
void Fields(FIELDS &fields, T &request) {
	fields.Field(10, "session", request.session);
}

template <class FIELDS, Is<SessionsRequest> T>
void Fields(FIELDS &fields, T &request) {
	fields.List(10, "sessions", request.sessions);
}

template <class FIELDS, Is<SessionProgress> T>
void Fields(FIELDS &fields, T &reply) {
	fields.List(10, "percent", reply.percent);
}

template <class FIELDS, Is<ListCatalogRequest> T>
void Fields(FIELDS &fields, T &request) {
	fields.Field(10, "session", request.session);
	fields.Field(11, "knows", request.knows);
	fields.Field(12, "known_version", request.known_version);
}

template <class FIELDS, Is<DescribeRequest> T>
void Fields(FIELDS &fields, T &request) {
	fields.Field(10, "session", request.session);
	fields.Field(11, "sql", request.sql);
}

template <class FIELDS, Is<TableEstimate> T>
void Fields(FIELDS &fields, T &estimate) {
	fields.Field(10, "schema", estimate.schema);
	fields.Field(11, "table", estimate.table);
	fields.Field(12, "rows", estimate.rows);
}

template <class FIELDS, Is<TableEstimates> T>
void Fields(FIELDS &fields, T &estimates) {
	fields.Objects(10, "tables", estimates.tables);
}

template <class FIELDS, Is<Parts> T>
void Fields(FIELDS &fields, T &parts) {
	fields.List(10, "parts", parts);
}

template <class FIELDS, Is<ColumnTypes> T>
void Fields(FIELDS &fields, T &types) {
	fields.Types(10, "types", types);
}

namespace {

void CheckSize(const char *name, idx_t size) {
	if (size > limits::CONTROL_MESSAGE_BYTES_MAX) {
		throw SerializationException("a %s of %llu bytes is larger than the %llu that a message may have", name, size,
		                             limits::CONTROL_MESSAGE_BYTES_MAX);
	}
}

template <class T>
struct MessageOf;
#define DUCKHERDER_MESSAGE_OF(TYPE, NUMBER)                                                                            \
	template <>                                                                                                        \
	struct MessageOf<TYPE> {                                                                                           \
		static constexpr uint8_t KIND = NUMBER;                                                                        \
		static constexpr const char *NAME = #TYPE;                                                                     \
	};
DUCKHERDER_MESSAGES(DUCKHERDER_MESSAGE_OF)

} // namespace

template <class T>
std::string EncodeMessage(const T &message) {
	auto bytes = Serialized([&](duckdb::Serializer &serializer) {
		serializer.WriteProperty(KIND_FIELD, "kind", MessageOf<T>::KIND);
		FieldWriter writer(serializer);
		Fields(writer, message);
	});
	CheckSize(MessageOf<T>::NAME, bytes.size());
	return bytes;
}

template <class T>
T DecodeMessage(const std::string &bytes) {
	CheckSize(MessageOf<T>::NAME, bytes.size());
	T message;
	try {
		CheckedDeserializer deserializer(bytes, CheckedDeserializer::Types::COLUMNS);
		deserializer.Begin();
		auto found = deserializer.ReadProperty<uint8_t>(KIND_FIELD, "kind");
		if (found != MessageOf<T>::KIND) {
			throw SerializationException("it is a message of kind %d", found);
		}
		FieldReader reader(deserializer);
		Fields(reader, message);
		deserializer.End();
	} catch (const std::exception &error) {
		// A length that says more than there is may also end as a failed allocation.
		throw SerializationException("these %llu bytes are not a %s: %s", bytes.size(), MessageOf<T>::NAME,
		                             duckdb::ErrorData(error).RawMessage());
	}
	return message;
}

#define DUCKHERDER_INSTANTIATE(TYPE, NUMBER)                                                                           \
	template std::string EncodeMessage(const TYPE &);                                                                  \
	template TYPE DecodeMessage(const std::string &);
DUCKHERDER_MESSAGES(DUCKHERDER_INSTANTIATE)

std::string EncodeTaskRequestWithoutStage(const TaskRequest &request) {
	auto without_stage = request;
	without_stage.fragment = nullptr;
	without_stage.inputs = nullptr;
	without_stage.scan_filters.clear();
	without_stage.settings.clear();
	return EncodeMessage(without_stage);
}

std::string EncodeTypes(const ColumnTypes &types) {
	return EncodeMessage(types);
}

ColumnTypes DecodeTypes(const std::string &bytes) {
	return DecodeMessage<ColumnTypes>(bytes);
}

std::string EncodeParts(const Parts &parts) {
	return EncodeMessage(parts);
}

Parts DecodeParts(const std::string &bytes) {
	return DecodeMessage<Parts>(bytes);
}

} // namespace duckherder
