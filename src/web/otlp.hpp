#pragma once

#include "history/query_recorder.hpp"

#include <string>
#include <vector>

namespace duckherder {

//! Queries that have ended as one request of OTLP/HTTP with JSON (opentelemetry.io/docs/specs/otlp): for each a trace
//! with spans of the query, of its planning and its waiting for a place, of each stage that ran, of its tasks, the
//! longest OTLP_TASKS_MAX of a query, and of what a task did: it was prepared, it read an input. Spans of tasks belong
//! to the resource of their worker, which has told how long they took; their times are those of the session's clock.
//! Holds no statements and no errors, which may quote them. `node` is the resource of everything else.
std::string OtlpJson(const std::vector<QueryRecord> &queries, const std::string &node);

} // namespace duckherder
