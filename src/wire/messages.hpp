#pragma once

#include "common/task_error.hpp"
#include "protocol/database_service.hpp"
#include "protocol/messages.hpp"

#include "duckdb.hpp"

#include <string>
#include <vector>

//! Messages as bytes, in DuckDB's own serialization: numbered fields with defaults, so that a field can be added
//! without a new protocol version. Stateless, thread-safe. Encoding throws SerializationException if the result is
//! larger than limits::CONTROL_MESSAGE_BYTES_MAX. Decoding throws SerializationException for bytes that are not such a
//! message: cut off, too large, of another kind, or followed by more.
namespace duckherder {

std::string EncodeTaskRequest(const TaskRequest &request);
//! Without what the tasks of its stage have in common: decoded it has neither fragment nor inputs nor scan filters
std::string EncodeTaskRequestWithoutStage(const TaskRequest &request);
TaskRequest DecodeTaskRequest(const std::string &bytes);

std::string EncodeTaskResult(const TaskResult &result);
TaskResult DecodeTaskResult(const std::string &bytes);

std::string EncodeFetchRequest(const FetchRequest &request);
FetchRequest DecodeFetchRequest(const std::string &bytes);

std::string EncodeWorkerInfo(const WorkerInfo &info);
WorkerInfo DecodeWorkerInfo(const std::string &bytes);

std::string EncodeWorkerList(const std::vector<WorkerInfo> &workers);
std::vector<WorkerInfo> DecodeWorkerList(const std::string &bytes);

std::string EncodeTaskError(const TaskError &error);
TaskError DecodeTaskError(const std::string &bytes);

std::string EncodeSessionRequest(const SessionRequest &request);
SessionRequest DecodeSessionRequest(const std::string &bytes);

std::string EncodeSessionInfo(const SessionInfo &info);
SessionInfo DecodeSessionInfo(const std::string &bytes);

std::string EncodeCatalogListing(const CatalogListing &listing);
CatalogListing DecodeCatalogListing(const std::string &bytes);

std::string EncodeSessionStatement(const SessionStatement &statement);
SessionStatement DecodeSessionStatement(const std::string &bytes);

std::string EncodeResultShape(const ResultShape &shape);
ResultShape DecodeResultShape(const std::string &bytes);

//! Column types with everything that belongs to them: aliases, enum values, decimal widths, field names.
std::string EncodeTypes(const duckdb::vector<duckdb::LogicalType> &types);
duckdb::vector<duckdb::LogicalType> DecodeTypes(const std::string &bytes);

//! Several texts or messages as one, for calls that need more than one.
std::string EncodeParts(const std::vector<std::string> &parts);
std::vector<std::string> DecodeParts(const std::string &bytes);

} // namespace duckherder
