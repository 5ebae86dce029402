#pragma once

#include "common/ids.hpp"
#include "exchange/output_buffer.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace duckherder {

//! The finished outputs of a worker, until their query is released. Thread-safe.
class OutputStore {
public:
	//! Keeps an output. If the same attempt has one already (a message came twice), that one stays: it may have been
	//! read. Returns the one that is kept.
	std::shared_ptr<OutputBuffer> Put(const QueryId &query, const TaskKey &task, Attempt attempt,
	                                  std::shared_ptr<OutputBuffer> output);
	//! Null if there is none
	std::shared_ptr<OutputBuffer> Get(const QueryId &query, const TaskKey &task, Attempt attempt);
	//! Forgets the outputs of a query. Those being read live on until their readers end.
	void DropQuery(const QueryId &query);
	void DropAll();

private:
	using AttemptKey = std::pair<TaskKey, Attempt>;
	using QueryOutputs = std::map<AttemptKey, std::shared_ptr<OutputBuffer>>;

	std::mutex lock;
	std::unordered_map<QueryId, QueryOutputs> queries;
};

} // namespace duckherder
