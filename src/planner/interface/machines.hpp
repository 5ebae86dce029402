#pragma once

#include <cstdint>

namespace duckherder {

//! What it costs here to use workers, whatever they do. The values are what this was measured to be before any query
//! has shown it: two worker processes on one machine of two cores, reached over loopback.
struct ClusterCosts {
	//! A stage takes this long beside the work on its rows: calls, splits, plans that are encoded and decoded.
	//! Measured: TPC-H at scale factor 0.01 distributed over plain DuckDB, divided by the number of stages.
	double stage_us = 3000;
	//! A byte of an exchange takes this long to encode, send and decode. Measured: 6 million rows of four columns that
	//! workers send to the session.
	double byte_ns = 1.0;
};

//! The machines that could run a query: the session's own, and the workers together.
struct Machines {
	uint32_t session_threads = 1;
	uint64_t session_memory_bytes = UINT64_MAX;
	uint32_t workers = 1;
	//! Of all workers together, as are the bytes
	uint32_t worker_threads = 1;
	uint64_t worker_memory_bytes = 0;
	ClusterCosts costs;
};

} // namespace duckherder
