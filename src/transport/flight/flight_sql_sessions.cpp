#include "transport/flight/flight_sql_sessions.hpp"

#include "common/limits.hpp"

#include "duckdb.hpp"
#include "duckdb/common/exception.hpp"
#include "duckdb/common/types/uuid.hpp"

#include <chrono>
#include <vector>

namespace duckherder {

std::string MakeHandle() {
	// as session ids: the generator is seeded by the system
	return duckdb::UUID::ToString(duckdb::UUID::GenerateRandomUUID()) +
	       duckdb::UUID::ToString(duckdb::UUID::GenerateRandomUUID());
}

FlightSqlSessions::Use::Use(std::shared_ptr<FlightSqlSessions> owner_p, const std::string &transaction_p, Role role)
    : owner(std::move(owner_p)), transaction(transaction_p), session(owner->Enter(transaction, role)) {
}

FlightSqlSessions::Use::~Use() {
	owner->Leave(transaction, session);
}

void FlightSqlSessions::Use::Commit() {
	if (!InTransaction()) {
		owner->database->Commit(session);
	}
}

FlightSqlSessions::FlightSqlSessions(std::shared_ptr<DatabaseService> database_p)
    : database(std::move(database_p)), keeper([this] { KeepAlive(); }) {
}

FlightSqlSessions::~FlightSqlSessions() {
	{
		std::lock_guard<std::mutex> guard(lock);
		stopping = true;
	}
	wake.notify_all();
	keeper.join();
	for (auto &entry : transactions) {
		Close(entry.second.session);
	}
}

SessionId FlightSqlSessions::Open(Role role) {
	SessionRequest request;
	request.duckdb_version = duckdb::DuckDB::LibraryVersion();
	return database->OpenSession(request, role).id;
}

void FlightSqlSessions::Close(const SessionId &session) noexcept {
	if (session.empty()) {
		return;
	}
	try {
		database->CloseSession(session);
	} catch (...) { // NOLINT: then its lease ends
	}
}

SessionId FlightSqlSessions::Enter(const std::string &transaction, Role role) {
	if (transaction.empty()) {
		auto session = Open(role);
		std::lock_guard<std::mutex> guard(lock);
		single.insert(session);
		return session;
	}
	std::unique_lock<std::mutex> guard(lock);
	auto entry = transactions.find(transaction);
	if (entry == transactions.end()) {
		throw duckdb::InvalidInputException("The transaction is not known (any more): it has ended, its client was "
		                                    "silent for %d minutes, or the driver was restarted. What it had not "
		                                    "committed is rolled back",
		                                    limits::FLIGHT_SQL_IDLE_MS / 60000);
	}
	if (entry->second.session.empty()) {
		guard.unlock();
		auto session = Open(role);
		guard.lock();
		entry = transactions.find(transaction);
		if (entry == transactions.end() || !entry->second.session.empty()) {
			guard.unlock();
			Close(session);
			return Enter(transaction, role);
		}
		entry->second.session = session;
		entry->second.role = role;
	}
	if (entry->second.role != role) {
		throw duckdb::PermissionException("The transaction is that of a client with another role");
	}
	entry->second.uses++;
	entry->second.last_use = clock.NowMs();
	return entry->second.session;
}

void FlightSqlSessions::Leave(const std::string &transaction, const SessionId &session) {
	if (transaction.empty()) {
		{
			std::lock_guard<std::mutex> guard(lock);
			single.erase(session);
		}
		Close(session);
		return;
	}
	std::lock_guard<std::mutex> guard(lock);
	auto entry = transactions.find(transaction);
	if (entry != transactions.end()) {
		entry->second.uses--;
		entry->second.last_use = clock.NowMs();
	}
}

std::string FlightSqlSessions::BeginTransaction() {
	auto id = MakeHandle();
	std::lock_guard<std::mutex> guard(lock);
	if (transactions.size() >= limits::FLIGHT_SQL_TRANSACTIONS_MAX) {
		throw duckdb::ConnectionException("The driver has %d transactions already, it takes no more",
		                                  limits::FLIGHT_SQL_TRANSACTIONS_MAX);
	}
	transactions[id].last_use = clock.NowMs();
	return id;
}

void FlightSqlSessions::EndTransaction(const std::string &transaction, bool commit) {
	SessionId session;
	{
		std::lock_guard<std::mutex> guard(lock);
		auto entry = transactions.find(transaction);
		if (entry == transactions.end()) {
			if (commit) {
				throw duckdb::InvalidInputException("The transaction is not known (any more): nothing was committed");
			}
			return;
		}
		session = entry->second.session;
		transactions.erase(entry);
	}
	if (session.empty()) {
		return;
	}
	try {
		if (commit) {
			database->Commit(session);
		}
	} catch (...) {
		Close(session);
		throw;
	}
	Close(session);
}

void FlightSqlSessions::KeepAlive() {
	std::unique_lock<std::mutex> guard(lock);
	while (!stopping) {
		std::vector<SessionId> kept(single.begin(), single.end());
		std::vector<SessionId> expired;
		auto now = clock.NowMs();
		for (auto entry = transactions.begin(); entry != transactions.end();) {
			auto &transaction = entry->second;
			// one that has not done anything costs little: its client may just wait for its user
			auto limit = transaction.session.empty() ? limits::FLIGHT_SQL_UNUSED_MS : limits::FLIGHT_SQL_IDLE_MS;
			if (transaction.uses == 0 && now - transaction.last_use > limit) {
				expired.push_back(transaction.session);
				entry = transactions.erase(entry);
				continue;
			}
			if (!transaction.session.empty()) {
				kept.push_back(transaction.session);
			}
			entry++;
		}
		guard.unlock();
		try {
			database->KeepSessions(kept);
		} catch (...) { // NOLINT: who uses them will see
		}
		for (auto &session : expired) {
			Close(session);
		}
		guard.lock();
		wake.wait_for(guard, std::chrono::milliseconds(limits::SESSION_RENEW_INTERVAL_MS), [&] { return stopping; });
	}
}

} // namespace duckherder
