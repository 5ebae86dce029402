#pragma once

#include "extension/session_state.hpp"
#include "history/ended_queries.hpp"
#include "main/command_line.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace duckherder {

//! The flags --log-format, --log-file and --log-slow-queries
extern const FlagSpec LOG_FORMAT;
extern const FlagSpec LOG_FILE;
extern const FlagSpec LOG_SLOW_QUERIES;

//! Sets the process's log up. Throws UsageError, or IOException if the file cannot be written.
void SetUpLog(const CommandLine &flags);

//! Writes what becomes of a driver's workers and queries to the log: workers that come, drain, are lost or leave,
//! queries that fail or take long. Looks when it is told to, by one thread.
class ClusterLog {
public:
	//! Queries that take at least so long are logged; 0: none of those that succeed
	ClusterLog(DatabaseState &state, uint64_t slow_us);

	void Look();

private:
	void LookAtWorkers();
	void LookAtQueries();

	DatabaseState &state;
	const uint64_t slow_us;
	std::map<WorkerId, WorkerState> workers;
	EndedQueries queries;
};

} // namespace duckherder
