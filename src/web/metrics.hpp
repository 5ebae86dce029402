#pragma once

#include "extension/session_state.hpp"
#include "web/cluster_json.hpp"

#include <string>

namespace duckherder {

//! GET /metrics of a driver or session: the text format 0.0.4 of Prometheus, see docs/api.md for the names.
std::string DriverMetrics(DatabaseState &state, const NodeFacts &node);

//! The same of a worker.
std::string WorkerMetrics(const WorkerInfo &worker, const NodeFacts &node);

} // namespace duckherder
