#include "cluster/admission.hpp"

#include "duckdb.hpp"
#include "duckdb/common/exception.hpp"

#include <algorithm>

namespace duckherder {

using duckdb::ConnectionException;

Admission::Admission(std::shared_ptr<Clock> clock_p, AdmissionLimits limits_p)
    : clock(std::move(clock_p)), limits(limits_p) {
}

bool Admission::Admit(const QueryId &query, const std::string &session, uint64_t wait_ms) {
	MutexLock guard(lock);
	Expire();
	auto now = clock->NowMs();
	auto known = queries.find(query);
	if (known == queries.end()) {
		auto queued = queries.size() - running;
		if (running >= limits.running_max && queued >= limits.queued_max) {
			throw ConnectionException(
			    "Too many queries: %llu run and %llu wait, which is the most this driver takes; try "
			    "again later",
			    running, queued);
		}
		queries[query] = Query {session, false, false, now, now};
		auto &line = waiting[session];
		if (line.empty()) {
			turns.push_back(session);
		}
		line.push_back(query);
	}
	AdmitNext();
	auto is_decided = [&]() REQUIRES(lock) {
		auto entry = queries.find(query);
		return entry != queries.end() && (entry->second.running || entry->second.killed);
	};
	if (!is_decided() && wait_ms > 0) {
		changed.WaitFor(guard, std::chrono::milliseconds(wait_ms), is_decided);
	}
	auto entry = queries.find(query);
	if (entry == queries.end()) {
		throw ConnectionException("The query was taken out of the queue while it waited");
	}
	if (entry->second.killed) {
		throw duckdb::InterruptException();
	}
	now = clock->NowMs();
	entry->second.heard_last = now;
	auto waited = now - entry->second.asked_first;
	if (!entry->second.running && waited >= limits.wait_max_ms) {
		Remove(query);
		throw ConnectionException("The query has waited for %llu ms while %llu others ran, which is the most this "
		                          "driver takes at a time; try again later",
		                          waited, running);
	}
	return entry->second.running;
}

bool Admission::RenewLease(const QueryId &query) {
	MutexLock guard(lock);
	auto entry = queries.find(query);
	if (entry == queries.end()) {
		return false;
	}
	entry->second.heard_last = clock->NowMs();
	return entry->second.killed;
}

bool Admission::Kill(const QueryId &query) {
	MutexLock guard(lock);
	auto entry = queries.find(query);
	if (entry == queries.end()) {
		return false;
	}
	entry->second.killed = true;
	changed.NotifyAll();
	return true;
}

void Admission::Release(const QueryId &query) {
	MutexLock guard(lock);
	Remove(query);
	AdmitNext();
}

uint32_t Admission::RunningCount() {
	MutexLock guard(lock);
	Expire();
	return running;
}

uint32_t Admission::QueuedCount() {
	MutexLock guard(lock);
	Expire();
	return static_cast<uint32_t>(queries.size()) - running;
}

void Admission::SetLimits(AdmissionLimits limits_p) {
	MutexLock guard(lock);
	limits = limits_p;
	AdmitNext();
}

void Admission::Expire() {
	auto now = clock->NowMs();
	std::vector<QueryId> gone;
	for (auto &entry : queries) {
		if (now - entry.second.heard_last > limits.lease_ms) {
			gone.push_back(entry.first);
		}
	}
	for (auto &query : gone) {
		Remove(query);
	}
	if (!gone.empty()) {
		AdmitNext();
	}
}

void Admission::AdmitNext() {
	while (running < limits.running_max && !turns.empty()) {
		auto session = turns.front();
		turns.pop_front();
		auto line = waiting.find(session);
		auto &query = queries[line->second.front()];
		query.running = true;
		// it may not have asked for a while
		query.heard_last = clock->NowMs();
		running++;
		line->second.pop_front();
		if (line->second.empty()) {
			waiting.erase(line);
		} else {
			turns.push_back(session);
		}
		changed.NotifyAll();
	}
}

void Admission::Remove(const QueryId &query) {
	auto entry = queries.find(query);
	if (entry == queries.end()) {
		return;
	}
	if (entry->second.running) {
		running--;
	} else {
		auto line = waiting.find(entry->second.session);
		line->second.erase(std::find(line->second.begin(), line->second.end(), query));
		if (line->second.empty()) {
			turns.erase(std::find(turns.begin(), turns.end(), entry->second.session));
			waiting.erase(line);
		}
	}
	queries.erase(entry);
	changed.NotifyAll();
}

} // namespace duckherder
