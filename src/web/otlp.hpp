#pragma once

#include "history/query_recorder.hpp"

#include <string>
#include <vector>

namespace duckherder {

//! Queries that have ended as one request of OTLP/HTTP with JSON (opentelemetry.io/docs/specs/otlp): for each a trace
//! with a span of the query, one for each stage that ran, and one for each of its tasks, the longest
//! OTLP_TASKS_MAX of a query. Holds no statements and no errors, which may quote them.
std::string OtlpJson(const std::vector<QueryRecord> &queries, const std::string &service);

} // namespace duckherder
