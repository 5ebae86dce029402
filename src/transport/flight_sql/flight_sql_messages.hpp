#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

//! The messages of Flight SQL (arrow.flight.protocol.sql) that are understood here. Each travels in a
//! google.protobuf.Any. What reads them throws SerializationException for bytes that are none; fields that are not
//! known are skipped, as protobuf wants it.
namespace duckherder::flight_sql {

//! What an Any holds
struct Packed {
	//! Without the package: "CommandStatementQuery"
	std::string name;
	std::string body;
};

//! Whether the bytes are an Any with a message of Flight SQL; looks at its type only.
bool IsPacked(const std::string &bytes);
Packed Unpack(const std::string &bytes);
std::string Pack(const std::string &name, const std::string &body);

//! CommandStatementQuery, CommandStatementUpdate, ActionCreatePreparedStatementRequest
struct StatementRequest {
	std::string query;
	//! Empty: none
	std::string transaction;
};
StatementRequest ReadStatementRequest(const std::string &body);

//! Messages that only carry a handle, as their first field: TicketStatementQuery, CommandPreparedStatementQuery,
//! CommandPreparedStatementUpdate, ActionClosePreparedStatementRequest, ActionCancelQueryRequest
std::string ReadHandle(const std::string &body);
std::string WriteHandle(const std::string &handle);

enum class EndOfTransaction : uint8_t { UNSPECIFIED = 0, COMMIT = 1, ROLLBACK = 2 };
struct EndTransactionRequest {
	std::string transaction;
	EndOfTransaction action = EndOfTransaction::UNSPECIFIED;
};
EndTransactionRequest ReadEndTransactionRequest(const std::string &body);

struct PreparedStatementResult {
	std::string handle;
	std::string dataset_schema;
	std::string parameter_schema;
	bool is_update = false;
};
std::string WritePreparedStatementResult(const PreparedStatementResult &result);
std::string WriteUpdateResult(int64_t record_count);

//! CommandGetDbSchemas, CommandGetTables: what is absent does not narrow the search
struct ObjectsRequest {
	std::optional<std::string> catalog;
	std::optional<std::string> schema_pattern;
	std::optional<std::string> table_pattern;
	std::vector<std::string> table_types;
	bool include_schema = false;
};
ObjectsRequest ReadObjectsRequest(const std::string &body);

//! CommandGetPrimaryKeys, CommandGetImportedKeys, CommandGetExportedKeys
struct TableReference {
	std::optional<std::string> catalog;
	std::optional<std::string> schema;
	std::string table;
};
TableReference ReadTableReference(const std::string &body);
struct CrossReference {
	TableReference primary;
	TableReference foreign;
};
CrossReference ReadCrossReference(const std::string &body);

//! CommandGetSqlInfo: the wanted ones, all if there are none
std::vector<uint32_t> ReadSqlInfoRequest(const std::string &body);
//! CommandGetXdbcTypeInfo: the wanted one
std::optional<int32_t> ReadXdbcTypeRequest(const std::string &body);

enum class IfNotExists : uint8_t { UNSPECIFIED = 0, CREATE = 1, FAIL = 2 };
enum class IfExists : uint8_t { UNSPECIFIED = 0, FAIL = 1, APPEND = 2, REPLACE = 3 };
struct IngestRequest {
	IfNotExists if_not_exists = IfNotExists::UNSPECIFIED;
	IfExists if_exists = IfExists::UNSPECIFIED;
	std::string table;
	std::optional<std::string> schema;
	std::optional<std::string> catalog;
	bool temporary = false;
	std::string transaction;
};
IngestRequest ReadIngestRequest(const std::string &body);

} // namespace duckherder::flight_sql
