#pragma once

#include "history/query_recorder.hpp"

#include <cstdint>
#include <string>

namespace duckherder {

//! A query in a list: what its tasks add up to, in place of the tasks. The times of one that runs are those so far.
struct QuerySummary {
	//! Without tasks and stages
	QueryRecord query;
	//! The session of another process that has reported it; empty: it runs or ran here
	std::string session;
	TaskSums sums;

	//! `now_us`: microseconds since the epoch
	QuerySummary(const QueryRecord &record, int64_t now_us);
};

} // namespace duckherder
