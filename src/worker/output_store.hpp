#pragma once

#include "common/clock.hpp"
#include "common/ids.hpp"
#include "exchange/output_buffer.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace duckherder {

//! The finished outputs of a worker, until their query is released, or nobody has asked for anything of it for long.
//! Thread-safe.
class OutputStore {
public:
	OutputStore(std::shared_ptr<Clock> clock, uint64_t lease_timeout_ms);

	//! Keeps an output. If the same attempt has one already (a message came twice), that one stays: it may have been
	//! read. Returns the one that is kept.
	std::shared_ptr<OutputBuffer> Put(const QueryId &query, const TaskKey &task, Attempt attempt,
	                                  std::shared_ptr<OutputBuffer> output);
	//! Null if there is none
	std::shared_ptr<OutputBuffer> Get(const QueryId &query, const TaskKey &task, Attempt attempt);
	//! Forgets one output
	void Drop(const QueryId &query, const TaskKey &task, Attempt attempt);
	//! Forgets the outputs of a query. Those being read live on until their readers end.
	void DropQuery(const QueryId &query);
	void DropAll();
	//! Somebody needs the outputs of the query, if there are any
	void RenewLease(const QueryId &query);
	//! Forgets the outputs of queries of which nothing was put, got or renewed for the time of a lease.
	void DropExpired();
	uint32_t QueryCount();
	//! Of all outputs, uncompressed
	uint64_t Bytes();

private:
	using AttemptKey = std::pair<TaskKey, Attempt>;
	struct QueryOutputs {
		std::map<AttemptKey, std::shared_ptr<OutputBuffer>> outputs;
		//! Of all of them, uncompressed
		uint64_t bytes = 0;
		TimeMs last_asked_ms = 0;
	};

	std::shared_ptr<Clock> clock;
	const uint64_t lease_timeout_ms;
	std::mutex lock;
	std::unordered_map<QueryId, QueryOutputs> queries;
};

} // namespace duckherder
