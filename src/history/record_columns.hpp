#pragma once

#include "history/query_recorder.hpp"

#include "duckdb.hpp"

#include <string>
#include <utility>
#include <vector>

namespace duckherder {

//! The columns of a table of QueryRecords, and a record as its row; one list of fields makes both. Texts come back as
//! valid UTF-8, cut to HISTORY_TEXT_BYTES_MAX, those of tasks to HISTORY_TASK_TEXT_BYTES_MAX.
std::vector<std::pair<std::string, duckdb::LogicalType>> RecordColumns();
duckdb::vector<duckdb::Value> ValuesOf(const QueryRecord &record);
//! The values have the types of the columns. Throws SerializationException for what no record can be.
QueryRecord RecordOf(const duckdb::vector<duckdb::Value> &values);

} // namespace duckherder
