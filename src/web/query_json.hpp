#pragma once

#include "history/query_recorder.hpp"
#include "protocol/role.hpp"

#include <cstdint>
#include <string>

namespace duckherder {

//! Which queries a list has, and in which order
struct QueryFilter {
	//! Empty: all
	std::string state;
	std::string mode;
	//! In the id, the text or the error, whatever the case of its letters; texts are searched for those who may see
	//! them
	std::string search;
	//! start, duration, bytes, tasks, retries or rows
	std::string sort = "start";
	bool ascending = false;
	uint64_t offset = 0;
	uint64_t limit = 100;
};

//! GET /api/v1/queries. Throws InvalidInputException that names what cannot be sorted by.
std::string QueriesJson(const QueryRecorder &recorder, const QueryFilter &filter, Role role);
//! GET /api/v1/queries/:id
std::string QueryJson(const QueryRecord &query, Role role);

} // namespace duckherder
