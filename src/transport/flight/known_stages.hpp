#pragma once

#include "common/limits.hpp"
#include "protocol/messages.hpp"

#include <list>
#include <mutex>
#include <string>
#include <unordered_map>

namespace duckherder {

//! What the tasks of a stage have in common (fragment, inputs, scan filters, settings) is sent to a node with the first
//! of them; the others only name the stage. So the requests of M producers and N consumers say M + N things to a node,
//! not M times N. What was used longest ago is forgotten first: the sender is asked to send it again
//! (FrameKind::RESEND). Thread-safe.
class KnownStages {
public:
	explicit KnownStages(uint64_t bytes_max = limits::KNOWN_STAGES_BYTES_MAX,
	                     uint64_t count_max = limits::KNOWN_STAGES_MAX);

	//! Names the stage of a request
	static std::string Key(const TaskRequest &request);

	//! Of a request that has everything
	void Remember(const TaskRequest &request);
	//! Gives a request that was sent alone what it lacks. False if that is not known.
	bool Complete(TaskRequest &request);
	//! Nobody asks for the stages of that query any more
	void DropQuery(const QueryId &query);

private:
	struct Entry {
		std::string key;
		QueryId query;
		uint64_t bytes = 0;
		std::shared_ptr<const std::string> fragment;
		std::shared_ptr<const StageInputs> inputs;
		std::vector<ScanFilter> scan_filters;
		std::vector<std::pair<std::string, std::string>> settings;
	};
	using Entries = std::list<Entry>;

	void Erase(Entries::iterator entry);

	const uint64_t bytes_max;
	const uint64_t count_max;
	std::mutex lock;
	//! Used last first
	Entries entries;
	std::unordered_map<std::string, Entries::iterator> by_key;
	uint64_t bytes = 0;
};

} // namespace duckherder
