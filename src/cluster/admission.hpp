#pragma once

#include "common/clock.hpp"
#include "common/ids.hpp"
#include "common/limits.hpp"
#include "common/mutex.hpp"

#include <deque>
#include <map>
#include <memory>
#include <string>

namespace duckherder {

struct AdmissionLimits {
	//! Queries that run at a time
	uint32_t running_max = limits::RUNNING_QUERIES_DEFAULT;
	//! Queries that wait; more are refused at once
	uint32_t queued_max = limits::QUEUED_QUERIES_DEFAULT;
	//! How long one waits before it is refused, ms
	uint64_t wait_max_ms = limits::QUEUE_WAIT_DEFAULT_MS;
	//! Of a query nobody has heard for so long its place is given away, ms
	uint64_t lease_ms = limits::ADMISSION_LEASE_MS;
};

//! At most so many queries at a time. Those that wait are admitted in the order in which they came within a session,
//! and the sessions take turns (round robin), so that one with many queries does not keep the others out. Thread-safe.
class Admission {
public:
	explicit Admission(std::shared_ptr<Clock> clock, AdmissionLimits limits = AdmissionLimits());

	//! Asks for a place, or asks again: whoever waits has to. Blocks until the query may run, at most `wait_ms`; then
	//! false: ask again. True as often as a query that runs asks. Throws ConnectionException if too many wait, or if
	//! the query has waited for too long; it has no place in the queue then.
	bool Admit(const QueryId &query, const std::string &session, uint64_t wait_ms);
	//! The query still runs, or waits. Returns whether it was killed. Does nothing for others.
	bool RenewLease(const QueryId &query);
	//! Whose query it is has to end it; if it waits, asking again throws InterruptException. False: there is none.
	bool Kill(const QueryId &query);
	//! It has ended, or waits no more. Idempotent.
	void Release(const QueryId &query);

	uint32_t RunningCount();
	uint32_t QueuedCount();
	void SetLimits(AdmissionLimits limits);

private:
	struct Query {
		std::string session;
		bool running = false;
		bool killed = false;
		TimeMs asked_first = 0;
		TimeMs heard_last = 0;
	};

	void Expire() REQUIRES(lock);
	void AdmitNext() REQUIRES(lock);
	void Remove(const QueryId &query) REQUIRES(lock);

	const std::shared_ptr<Clock> clock;
	Mutex lock;
	Condition changed;
	AdmissionLimits limits GUARDED_BY(lock);
	std::map<QueryId, Query> queries GUARDED_BY(lock);
	uint32_t running GUARDED_BY(lock) = 0;
	//! Those that wait, by session
	std::map<std::string, std::deque<QueryId>> waiting GUARDED_BY(lock);
	//! Sessions with waiting queries; the first one's turn is next
	std::deque<std::string> turns GUARDED_BY(lock);
};

} // namespace duckherder
