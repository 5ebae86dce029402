#pragma once

#include "common/ids.hpp"

#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

namespace duckherder {

//! Remembers which worker read the bytes behind an affinity key last, over all queries of a session's database. It
//! keeps the `capacity` keys that were used last. It is advice only: a wrong or missing entry costs speed, never rows.
//! It is thread-safe, because queries share it.
class AffinityMap {
public:
	explicit AffinityMap(size_t capacity = 100000);

	std::optional<WorkerId> Find(const std::string &key);
	void Put(const std::string &key, const WorkerId &worker);
	size_t Size() const;

private:
	using Entry = std::pair<std::string, WorkerId>;

	const size_t capacity;
	mutable std::mutex lock;
	//! The entry that was used last comes first.
	std::list<Entry> entries;
	std::unordered_map<std::string, std::list<Entry>::iterator> positions;
};

} // namespace duckherder
