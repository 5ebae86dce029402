#pragma once

#include "history/query_recorder.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace duckherder {

//! Finds the queries that have ended since the last look, for one who looks now and then. Those that have ended before
//! the first look, and those that have come and gone from the recorder between two looks, are not seen. Used by one
//! thread.
class EndedQueries {
public:
	//! `take` is called with the recorder's lock held, see QueryRecorder::ForEach.
	template <class TAKE>
	void Look(const QueryRecorder &recorder, TAKE take) {
		std::vector<uint64_t> still_running;
		auto newest = last_number;
		recorder.ForEach([&](const QueryRecord &query) {
			newest = std::max(newest, query.number);
			auto is_new = has_looked && query.number > last_number;
			if (query.Running()) {
				still_running.push_back(query.number);
			} else if (is_new || std::find(running.begin(), running.end(), query.number) != running.end()) {
				take(query);
			}
		});
		running = std::move(still_running);
		last_number = newest;
		has_looked = true;
	}

private:
	bool has_looked = false;
	//! The numbers of the queries that had not ended at the last look, and the greatest one that had begun
	std::vector<uint64_t> running;
	uint64_t last_number = 0;
};

} // namespace duckherder
