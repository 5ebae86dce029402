#pragma once

#include "common/task_error.hpp"
#include "protocol/calls.hpp"
#include "protocol/database_service.hpp"
#include "protocol/messages.hpp"

#include "duckdb.hpp"

#include <string>
#include <vector>

//! Messages as bytes, in DuckDB's own serialization: numbered fields with defaults. A field that is unknown
//! here is an error: nodes of one cluster have the same protocol version. Stateless, thread-safe. Encoding throws
//! SerializationException if the result is larger than limits::CONTROL_MESSAGE_BYTES_MAX. Decoding throws
//! SerializationException for bytes that are not such a message: cut off, too large, of another kind, or followed by
//! more.
namespace duckherder {

//! The struct of protocol/ that is meant must be one of DUCKHERDER_MESSAGES in messages.cpp.
template <class T>
std::string EncodeMessage(const T &message);
template <class T>
T DecodeMessage(const std::string &bytes);

//! Without what the tasks of its stage have in common: decoded it has neither fragment nor inputs nor scan filters
std::string EncodeTaskRequestWithoutStage(const TaskRequest &request);

//! Column types with everything that belongs to them: aliases, enum values, decimal widths, field names.
std::string EncodeTypes(const duckdb::vector<duckdb::LogicalType> &types);
duckdb::vector<duckdb::LogicalType> DecodeTypes(const std::string &bytes);

//! Several texts or messages as one, for calls that need more than one.
std::string EncodeParts(const std::vector<std::string> &parts);
std::vector<std::string> DecodeParts(const std::string &bytes);

} // namespace duckherder
