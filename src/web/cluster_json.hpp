#pragma once

#include "extension/session_state.hpp"
#include "wire/json.hpp"

#include <cstdint>
#include <string>

namespace duckherder {

//! When the node began to serve, and what it is
struct NodeFacts {
	std::string kind;
	//! Microseconds since the epoch
	int64_t started_us = 0;
};

int64_t NowUs();

//! How many workers are in a state, and what all that take tasks have together
struct WorkerTotals {
	uint64_t active = 0;
	uint64_t draining = 0;
	//! Those whose databases are broken included
	uint64_t lost = 0;
	uint64_t threads = 0;
	uint64_t memory_used_bytes = 0;
	uint64_t memory_limit_bytes = 0;
	uint64_t running_tasks = 0;

	explicit WorkerTotals(const std::vector<WorkerInfo> &workers);
};

//! GET /api/v1/cluster, also what the page's events carry
std::string ClusterJson(DatabaseState &state, const NodeFacts &node, Role role);
//! GET /api/v1/workers
std::string WorkersJson(DatabaseState &state);
//! The same of a list, also what `duckherder status --json` prints
std::string WorkerListJson(const std::vector<WorkerInfo> &workers);
//! GET /api/v1/sessions
std::string SessionsJson(DatabaseState &state);

} // namespace duckherder
