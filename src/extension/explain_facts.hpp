#pragma once

#include "common/ids.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace duckherder {

//! An operator of a stage, or of the session, as EXPLAIN shows it.
struct OperatorFacts {
	//! How many operators above it have several inputs
	uint32_t depth = 0;
	//! Its kind, and the table or the files of a scan
	std::string name;
	//! Join keys, filters, groups: in the names of the query
	std::string details;
	std::optional<uint64_t> estimated_rows;
	//! Of a scan: the columns between whose values it is cut
	std::vector<std::string> in_place_by;
	//! The stage whose output it reads
	std::optional<StageId> reads;
};

//! Where the rows of a stage go.
struct ExchangeFacts {
	//! See ExchangeKindName
	std::string kind;
	std::vector<std::string> keys;
	//! The same as numbers of columns, see KeyNames
	std::string key_columns;
	//! 0: it is not partitioned
	uint32_t partitions = 0;
	//! Both are there if the stage may become part of its reader because the other side of a join turns out small.
	std::optional<StageId> adaptive_reader;
	std::optional<StageId> adaptive_build;
};

//! How a stage is cut into tasks.
struct TaskFacts {
	//! None while the sizes of its inputs are not known
	std::optional<uint64_t> planned;
	uint32_t partitions = 1;
	//! See SplitKindName; empty if there is no scan
	std::string split;
	//! In the table or files, by storage metadata; 0 if that does not say
	uint64_t table_rows = 0;
	bool has_scan = false;
	//! The session reads the rows of its scan and sends them to the tasks
	bool fed = false;
};

//! What the tasks of a stage that are done add up to.
struct StageRunFacts {
	uint64_t tasks = 0;
	std::vector<std::string> workers;
	uint64_t retries = 0;
	//! None if the stage has no scan
	std::optional<uint64_t> read_rows;
	uint64_t table_rows = 0;
	uint64_t dynamic_filters = 0;
	uint64_t pruned_rows = 0;
	uint64_t output_rows = 0;
	uint64_t bytes = 0;
	//! The most that a worker had in its temporary files
	uint64_t spilled_bytes = 0;
	//! The times of all tasks together
	uint64_t busy_us = 0;
	uint64_t median_us = 0;
	uint64_t slowest_us = 0;
	uint64_t slowest_task = 0;
	std::string slowest_worker;
	//! From the start of the first task to the end of the last one
	uint64_t wall_us = 0;
};

//! A stage as EXPLAIN shows it.
struct StageFacts {
	StageId id = 0;
	//! See StagePlan::description
	std::string description;
	//! From the output down
	std::vector<OperatorFacts> operators;
	ExchangeFacts output;
	TaskFacts tasks;
	//! None if DuckDB estimates nothing for what is on top, as for a top-N
	std::optional<uint64_t> estimated_rows;
	std::vector<StageId> inputs;
	//! Stages whose keys its scan leaves rows out by
	std::vector<StageId> filters_from;
	//! Stages that it waits for without reading them
	std::vector<StageId> after;
	//! It does nothing if that stage puts out no rows
	std::optional<StageId> skipped_without;
	//! What real sizes have decided; empty if there was nothing to decide
	std::string decision;
	//! None if nothing has run, or nothing of it
	std::optional<StageRunFacts> run;
};

//! What one execution of a query took.
struct QueryRunFacts {
	uint64_t wall_us = 0;
	//! In which no task of the query ran
	uint64_t session_us = 0;
	//! The times of all tasks together
	uint64_t busy_us = 0;
};

//! How long a pass of the planner took.
struct PassFacts {
	std::string name;
	uint64_t duration_us = 0;
};

//! All that EXPLAIN shows of a query. Plain data: text, JSON and the verdict are made from it.
struct QueryFacts {
	//! DISTRIBUTED, PARTIAL, LOCAL
	std::string mode;
	//! Why not fully or not at all; empty if fully distributed
	std::string reason;
	//! What the query was estimated to take here and there, if that was asked
	std::string estimate;
	uint32_t workers = 0;
	//! What the session does, from the output down
	std::vector<OperatorFacts> session;
	std::vector<StageFacts> stages;
	std::vector<PassFacts> passes;
	//! None for EXPLAIN without ANALYZE
	std::optional<QueryRunFacts> run;
};

//! For people: "12.3 ms", and "12.3 s" from ten seconds on
std::string MillisecondsText(uint64_t duration_us);

} // namespace duckherder
