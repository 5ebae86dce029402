#include "transport/flight_sql/flight_sql_statements.hpp"

#include "common/limits.hpp"
#include "transport/flight_sql/flight_sql_sessions.hpp"

#include "duckdb/common/exception.hpp"

#include <algorithm>

namespace duckherder {

std::vector<ParameterRow> PreparedText::BoundRows() {
	std::lock_guard<std::mutex> guard(lock);
	return bound.empty() ? std::vector<ParameterRow>(1) : bound;
}

template <class STATEMENT>
std::string FlightSqlStatements::Add(std::map<std::string, Entry<STATEMENT>> &entries, STATEMENT statement) {
	auto handle = MakeHandle();
	std::lock_guard<std::mutex> guard(lock);
	if (entries.size() >= limits::FLIGHT_SQL_STATEMENTS_MAX) {
		entries.erase(std::min_element(entries.begin(), entries.end(), [](const auto &left, const auto &right) {
			return left.second.used < right.second.used;
		}));
	}
	entries[handle] = Entry<STATEMENT> {std::move(statement), ++uses};
	return handle;
}

std::string FlightSqlStatements::AddPrepared(std::shared_ptr<PreparedText> statement) {
	return Add(prepared, std::move(statement));
}

std::shared_ptr<PreparedText> FlightSqlStatements::Prepared(const std::string &handle) {
	std::lock_guard<std::mutex> guard(lock);
	auto entry = prepared.find(handle);
	if (entry == prepared.end()) {
		throw duckdb::InvalidInputException("The prepared statement is not known to the driver (any more): it was "
		                                    "closed, or the driver was restarted");
	}
	entry->second.used = ++uses;
	return entry->second.statement;
}

void FlightSqlStatements::ClosePrepared(const std::string &handle) {
	std::lock_guard<std::mutex> guard(lock);
	prepared.erase(handle);
}

std::string FlightSqlStatements::AddPending(PendingStatement statement) {
	return Add(pending, std::make_shared<PendingStatement>(std::move(statement)));
}

FlightSqlStatements::Running FlightSqlStatements::TakePending(const std::string &handle) {
	Running taken;
	taken.cancelled = std::make_shared<std::atomic<bool>>(false);
	{
		std::lock_guard<std::mutex> guard(lock);
		auto entry = pending.find(handle);
		if (entry == pending.end()) {
			throw duckdb::InvalidInputException("The statement of this ticket has run already, was cancelled, or the "
			                                    "driver was restarted");
		}
		taken.statement = std::move(*entry->second.statement);
		pending.erase(entry);
		std::lock_guard<std::mutex> running_guard(running->lock);
		running->cancels[handle] = taken.cancelled;
	}
	taken.presence = std::shared_ptr<void>(nullptr, [running = running, handle](void *) {
		std::lock_guard<std::mutex> guard(running->lock);
		running->cancels.erase(handle);
	});
	return taken;
}

CancelOutcome FlightSqlStatements::Cancel(const std::string &handle) {
	std::lock_guard<std::mutex> guard(lock);
	if (pending.erase(handle) > 0) {
		return CancelOutcome::CANCELLED;
	}
	std::lock_guard<std::mutex> running_guard(running->lock);
	auto entry = running->cancels.find(handle);
	if (entry == running->cancels.end()) {
		return CancelOutcome::NOT_THERE;
	}
	*entry->second = true;
	return CancelOutcome::CANCELLING;
}

} // namespace duckherder
