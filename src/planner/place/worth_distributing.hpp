#pragma once

#include "plan/stage_graph.hpp"
#include "planner/interface/machines.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace duckherder {

// A small model of what a query takes on one machine and on workers. It decides only which of the two is clearly
// better, so its numbers are averages over types and functions. All its constants are in worth_distributing.cpp.

//! Where an operator would run if the query were distributed.
enum class WorkPlace {
	SESSION,     //! in the session, whether the query is distributed or not
	WORKERS,     //! shared by all workers
	ONE_WORKER,  //! in one task
	EACH_WORKER, //! on every worker anew, as the hash table of a broadcast side
};

enum class WorkKind { SCAN, EXPRESSIONS, AGGREGATE, PROBE, BUILD, SORT, WINDOW, OTHER };

//! What one operator does.
struct OperatorWork {
	WorkKind kind = WorkKind::OTHER;
	WorkPlace place = WorkPlace::WORKERS;
	//! Rows that go in; of a scan, those that it reads
	double rows = 0;
	//! Rows that come out
	double result_rows = 0;
	//! Of a row: columns that are read or computed, of a fixed size and others
	double fixed_values = 0;
	double text_values = 0;
	//! The scan decodes Parquet
	bool decodes = false;
	//! Of the grouped aggregate or the join: it looks rows up in a hash table
	bool hashes = false;
};

struct ExchangeWork {
	ExchangeKind kind = ExchangeKind::RESULT;
	double bytes = 0;
};

//! What a query does.
struct PlanWork {
	std::vector<OperatorWork> operators;
	//! Each is the end of a stage.
	std::vector<ExchangeWork> exchanges;
	//! What the session has to send to workers, which cannot read it
	double fed_bytes = 0;
	//! What comes over the network from a store of files, for whoever reads it
	double store_bytes = 0;
	//! What one machine has to keep at a time: hash tables, groups, rows that are sorted
	double held_bytes = 0;
};

//! Which is better, and why.
struct Verdict {
	bool distribute = false;
	double session_ms = 0;
	double workers_ms = 0;
	//! A sentence for people
	std::string reason;
};

//! Decides for the session if the gain is not clear, unless the session could not hold what the query has to keep.
Verdict Judge(const PlanWork &work, const Machines &machines);

//! What one machine takes, in ms.
double SessionTime(const PlanWork &work, const Machines &machines);

//! The least that any distributed query takes with `stages` stages, in ms.
double LeastWorkersTime(size_t stages, const Machines &machines);

//! The workers have so many more threads than the session that they could gain time.
bool CouldBeFaster(const Machines &machines);

//! The session cannot hold what the query has to keep, and the workers have more memory.
bool NeedsMemoryOfWorkers(const PlanWork &work, const Machines &machines);

} // namespace duckherder
