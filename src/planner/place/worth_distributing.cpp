#include "planner/place/worth_distributing.hpp"

#include "common/limits.hpp"
#include "common/text.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace duckherder {

namespace {

// All of these are nanoseconds of one thread, measured with plain DuckDB on the machine of ClusterCosts: pairs of
// queries over the lineitem of TPC-H, in Parquet and as a table of 3 million rows, of which one has one operator more.

//! A value of a fixed size, as tables keep it
constexpr double NS_STORED_VALUE = 1.5;
//! The same, as Parquet keeps it: 7 for few different values, 18 for prices
constexpr double NS_DECODED_VALUE = 12;
//! A text, as tables keep it
constexpr double NS_STORED_TEXT = 8;
//! The same, as Parquet keeps it: 6 for few different texts, 100 for comments
constexpr double NS_DECODED_TEXT = 40;
//! An expression over values of a fixed size
constexpr double NS_EXPRESSION = 2;
//! An expression over texts: comparisons, LIKE, concatenation
constexpr double NS_TEXT_EXPRESSION = 40;
//! A value that is added to an aggregate
constexpr double NS_AGGREGATE = 3;
//! A text that is a key of a group or a join, or the minimum or maximum of one
constexpr double NS_TEXT_KEY = 40;
//! A row that is looked up in a hash table that fits into the cache
constexpr double NS_HASH = 12;
//! A row that is put into a hash table, or a group that is new
constexpr double NS_BUILD = 120;
//! A row of a sort; it is compared about log2(rows) times, which is about 20
constexpr double NS_SORT = 200;
//! A row of a window, which is sorted before
constexpr double NS_WINDOW = 300;
//! A row of any other operator
constexpr double NS_ROW = 2;
//! A byte that comes from a store of files over the network: 1 Gbit/s
constexpr double NS_STORE_BYTE = 8;

//! Workers take this much more for the same rows: bench/run.py, TPC-H at scale factor 10, CPU of distributed queries
//! over plain DuckDB's
constexpr double WORKERS_EXTRA = 1.3;
//! The estimate for the workers has to be better by this much: estimates of rows are often wrong by more than that, and
//! the session is the choice that nobody is surprised by
constexpr double CLEAR_GAIN = 1.2;
//! What DuckDB estimates to be kept is mostly too much, and it can move a part to disk; above this many times the
//! limit it would mostly wait for its disk
constexpr double HELD_OVER_LIMIT = 1.5;

constexpr double NS_PER_MS = 1e6;
constexpr double US_PER_MS = 1e3;

double Nanoseconds(const OperatorWork &op) {
	auto per_row = 0.0;
	switch (op.kind) {
	case WorkKind::SCAN:
		per_row = op.decodes ? NS_DECODED_VALUE * op.fixed_values + NS_DECODED_TEXT * op.text_values
		                     : NS_STORED_VALUE * op.fixed_values + NS_STORED_TEXT * op.text_values;
		break;
	case WorkKind::EXPRESSIONS:
		per_row = NS_EXPRESSION * op.fixed_values + NS_TEXT_EXPRESSION * op.text_values;
		break;
	case WorkKind::AGGREGATE:
		per_row = NS_AGGREGATE * op.fixed_values + NS_TEXT_KEY * op.text_values + (op.hashes ? NS_HASH : 0);
		return per_row * op.rows + (op.hashes ? NS_BUILD * op.result_rows : 0);
	case WorkKind::PROBE:
		return NS_HASH * op.rows + NS_ROW * (1 + op.fixed_values + op.text_values) * op.result_rows;
	case WorkKind::BUILD:
		per_row = NS_BUILD + NS_STORED_VALUE * op.fixed_values + NS_STORED_TEXT * op.text_values;
		break;
	case WorkKind::SORT:
		per_row = NS_SORT + NS_ROW * op.fixed_values + NS_TEXT_KEY * op.text_values;
		break;
	case WorkKind::WINDOW:
		per_row = NS_WINDOW + NS_ROW * op.fixed_values + NS_TEXT_KEY * op.text_values;
		break;
	case WorkKind::OTHER:
		per_row = NS_ROW;
		break;
	}
	return per_row * op.rows;
}

//! DuckDB shares the rows of an operator among threads by row groups.
double UsableThreads(const OperatorWork &op, double threads) {
	auto row_groups = std::ceil(op.rows / static_cast<double>(limits::ROW_GROUP_ROWS));
	return std::clamp(row_groups, 1.0, std::max(threads, 1.0));
}

//! What the threads of one worker are
double ThreadsOfOne(const Machines &machines) {
	return std::max(1.0, static_cast<double>(machines.worker_threads) / std::max(machines.workers, 1U));
}

double ThreadsFor(const OperatorWork &op, const Machines &machines) {
	switch (op.place) {
	case WorkPlace::SESSION:
		return UsableThreads(op, machines.session_threads);
	case WorkPlace::WORKERS:
		// each worker gets a task, however few rows there are
		return std::clamp(UsableThreads(op, machines.worker_threads), static_cast<double>(machines.workers),
		                  static_cast<double>(std::max(machines.worker_threads, machines.workers)));
	case WorkPlace::ONE_WORKER:
	case WorkPlace::EACH_WORKER:
		return UsableThreads(op, ThreadsOfOne(machines));
	}
	return 1;
}

double WorkersTime(const PlanWork &work, const Machines &machines) {
	auto ns = 0.0;
	for (auto &op : work.operators) {
		auto extra = op.place == WorkPlace::SESSION ? 1 : WORKERS_EXTRA;
		ns += extra * Nanoseconds(op) / ThreadsFor(op, machines);
	}
	auto byte_ns = machines.costs.byte_ns;
	for (auto &exchange : work.exchanges) {
		// All workers send and receive at the same time what is partitioned. Everything else goes through one machine,
		// or into each of them.
		ns += exchange.bytes * byte_ns / (IsPartitioned(exchange.kind) ? std::max(machines.workers, 1U) : 1);
	}
	ns += work.fed_bytes * byte_ns;
	ns += work.store_bytes * NS_STORE_BYTE / std::max(machines.workers, 1U);
	return ns / NS_PER_MS + LeastWorkersTime(work.exchanges.size(), machines);
}

std::string InMilliseconds(double ms) {
	char text[32];
	std::snprintf(text, sizeof(text), ms < 10 ? "%.1f ms" : "%.0f ms", ms);
	return text;
}

} // namespace

double SessionTime(const PlanWork &work, const Machines &machines) {
	auto ns = work.store_bytes * NS_STORE_BYTE;
	for (auto &op : work.operators) {
		ns += Nanoseconds(op) / UsableThreads(op, machines.session_threads);
	}
	return ns / NS_PER_MS;
}

double LeastWorkersTime(size_t stages, const Machines &machines) {
	return static_cast<double>(stages) * machines.costs.stage_us / US_PER_MS;
}

bool CouldBeFaster(const Machines &machines) {
	return machines.worker_threads > machines.session_threads * WORKERS_EXTRA * CLEAR_GAIN;
}

bool NeedsMemoryOfWorkers(const PlanWork &work, const Machines &machines) {
	return work.held_bytes > HELD_OVER_LIMIT * static_cast<double>(machines.session_memory_bytes) &&
	       machines.worker_memory_bytes > machines.session_memory_bytes;
}

Verdict Judge(const PlanWork &work, const Machines &machines) {
	Verdict result;
	result.session_ms = SessionTime(work, machines);
	result.workers_ms = WorkersTime(work, machines);
	if (NeedsMemoryOfWorkers(work, machines)) {
		result.distribute = true;
		result.reason = "one machine could not hold what the query has to keep";
		return result;
	}
	result.distribute = result.workers_ms * CLEAR_GAIN < result.session_ms;
	result.reason = "one machine is estimated to take " + InMilliseconds(result.session_ms) + ", " +
	                Counted(machines.workers, "worker") + " " + InMilliseconds(result.workers_ms);
	return result;
}

} // namespace duckherder
