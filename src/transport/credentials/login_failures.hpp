#pragma once

#include "common/clock.hpp"
#include "common/mutex.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace duckherder {

//! Calls with missing or wrong tokens, by address. Each is written to the log, with how often (each address at most
//! once per LOGIN_LOG_INTERVAL_MS), and makes the caller wait: longer with each failure, so that guessing is slow.
//! Thread-safe.
class LoginFailures {
public:
	//! The first failure of an address waits for `first_wait_ms`. At most `waits_max` calls wait at a time, as each
	//! keeps a thread; others are refused at once.
	LoginFailures(uint64_t first_wait_ms, uint32_t waits_max);

	//! Notes a failure, and blocks as long as this caller has to wait.
	void Refuse(const std::string &address, bool has_token);

private:
	struct Entry {
		uint64_t count = 0;
		TimeMs last_ms = 0;
		TimeMs logged_ms = 0;
	};

	//! Says for how long the caller has to wait, in ms
	uint64_t Note(const std::string &address, bool has_token);
	void Wait(uint64_t wait_ms);

	const uint64_t first_wait_ms;
	const uint32_t waits_max;
	SteadyClock clock;
	Mutex lock;
	std::map<std::string, Entry> addresses GUARDED_BY(lock);
	uint32_t waiting GUARDED_BY(lock) = 0;
};

} // namespace duckherder
