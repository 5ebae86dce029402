#include "transport/flight_sql/flight_sql_sessions.hpp"

#include "common/limits.hpp"

#include "duckdb.hpp"
#include "duckdb/common/exception.hpp"
#include "duckdb/common/types/uuid.hpp"

#include <algorithm>
#include <chrono>
#include <vector>

namespace duckherder {

std::string MakeHandle() {
	// as session ids: the generator is seeded by the system
	return duckdb::UUID::ToString(duckdb::UUID::GenerateRandomUUID()) +
	       duckdb::UUID::ToString(duckdb::UUID::GenerateRandomUUID());
}

namespace {

//! "ipv4:10.0.0.1:4711" without its port
std::string HostOf(const std::string &peer) {
	auto colon = peer.rfind(':');
	return colon == std::string::npos ? peer : peer.substr(0, colon);
}

[[noreturn]] void ThrowFailed() {
	throw duckdb::InvalidInputException("The transaction was rolled back when one of its statements failed after some "
	                                    "of its changes: it can only be ended by a rollback");
}

[[noreturn]] void ThrowUnknown(uint64_t idle_ms) {
	throw duckdb::InvalidInputException("The transaction is not known (any more): it has ended, its client was silent "
	                                    "for %d seconds or had closed its connection, or the driver was restarted. "
	                                    "What it had not committed is rolled back",
	                                    idle_ms / 1000);
}

[[noreturn]] void ThrowAmbiguous() {
	throw duckdb::InvalidInputException(
	    "The rows to ingest do not say to which transaction they belong, and the connection does not tell: several "
	    "transactions are open over it, or each call has another one. Commit or roll back first and ingest with "
	    "autocommit, or let the client keep cookies (adbc.flight.sql.rpc.with_cookie_middleware = true)");
}

} // namespace

FlightSqlSessions::Use::Use(std::shared_ptr<FlightSqlSessions> owner_p, const std::string &transaction_p,
                            const FlightSqlClient &client)
    : owner(std::move(owner_p)), transaction(transaction_p), session(owner->Enter(transaction, client)) {
}

FlightSqlSessions::Use::~Use() {
	owner->Leave(transaction, session);
}

void FlightSqlSessions::Use::Commit() {
	if (!InTransaction()) {
		owner->database->Commit(session);
	}
}

void FlightSqlSessions::Use::Fail() noexcept {
	if (!InTransaction()) {
		return;
	}
	{
		std::lock_guard<std::mutex> guard(owner->lock);
		auto entry = owner->transactions.find(transaction);
		if (entry != owner->transactions.end()) {
			entry->second.failed = true;
		}
	}
	try {
		owner->database->Rollback(session);
	} catch (...) { // NOLINT: it is not committed either
	}
}

FlightSqlSessions::FlightSqlSessions(std::shared_ptr<DatabaseService> database_p, uint64_t idle_ms_p,
                                     OpenPeers open_peers_p)
    : database(std::move(database_p)), idle_ms(idle_ms_p), open_peers(std::move(open_peers_p)),
      keeper([this] { KeepAlive(); }) {
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

SessionId FlightSqlSessions::Open(const FlightSqlClient &client) {
	SessionRequest request;
	request.duckdb_version = duckdb::DuckDB::LibraryVersion();
	request.client = client.peer;
	request.protocol = "Flight SQL";
	return database->OpenSession(request, client.role).id;
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

SessionId FlightSqlSessions::Enter(const std::string &transaction, const FlightSqlClient &client) {
	if (transaction.empty()) {
		auto session = Open(client);
		std::lock_guard<std::mutex> guard(lock);
		single.insert(session);
		return session;
	}
	std::unique_lock<std::mutex> guard(lock);
	auto entry = transactions.find(transaction);
	if (entry == transactions.end()) {
		ThrowUnknown(idle_ms);
	}
	if (entry->second.failed) {
		ThrowFailed();
	}
	if (entry->second.session.empty()) {
		guard.unlock();
		auto session = Open(client);
		guard.lock();
		entry = transactions.find(transaction);
		if (entry == transactions.end() || !entry->second.session.empty()) {
			guard.unlock();
			Close(session);
			return Enter(transaction, client);
		}
		entry->second.session = session;
	}
	if (entry->second.client.role != client.role) {
		throw duckdb::PermissionException("The transaction is that of a client with another role");
	}
	entry->second.uses++;
	entry->second.last_use = clock.NowMs();
	entry->second.peers.insert(client.peer);
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

std::string FlightSqlSessions::BeginTransaction(const FlightSqlClient &client) {
	auto id = MakeHandle();
	std::lock_guard<std::mutex> guard(lock);
	if (transactions.size() >= limits::FLIGHT_SQL_TRANSACTIONS_MAX) {
		throw duckdb::ConnectionException("The driver has %d transactions already, it takes no more",
		                                  limits::FLIGHT_SQL_TRANSACTIONS_MAX);
	}
	auto &transaction = transactions[id];
	transaction.last_use = clock.NowMs();
	transaction.client = client;
	transaction.peers.insert(client.peer);
	return id;
}

void FlightSqlSessions::EndTransaction(const std::string &transaction, bool commit) {
	SessionId session;
	auto failed = false;
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
		failed = entry->second.failed;
		transactions.erase(entry);
	}
	if (session.empty()) {
		return;
	}
	try {
		if (commit && failed) {
			ThrowFailed();
		}
		if (commit) {
			database->Commit(session);
		}
	} catch (...) {
		Close(session);
		throw;
	}
	Close(session);
}

bool FlightSqlSessions::IsOf(const Transaction &transaction, const FlightSqlClient &client) {
	if (transaction.client.authorization != client.authorization) {
		return false;
	}
	return client.cookie.empty() ? transaction.peers.count(client.peer) > 0
	                             : transaction.client.cookie == client.cookie;
}

std::vector<std::string> FlightSqlSessions::TransactionsOf(const FlightSqlClient &client) const {
	std::vector<std::string> found;
	for (auto &entry : transactions) {
		if (IsOf(entry.second, client)) {
			found.push_back(entry.first);
		}
	}
	return found;
}

std::string FlightSqlSessions::TransactionOf(const FlightSqlClient &client) {
	std::lock_guard<std::mutex> guard(lock);
	auto found = TransactionsOf(client);
	if (found.size() > 1) {
		ThrowAmbiguous();
	}
	if (!found.empty()) {
		return found[0];
	}
	if (client.cookie.empty() && MayHaveChangedConnections(client)) {
		ThrowAmbiguous();
	}
	return "";
}

bool FlightSqlSessions::MayHaveChangedConnections(const FlightSqlClient &client) const {
	auto open = open_peers();
	auto is_closed = [&](const std::string &peer) { return open.count(peer) == 0; };
	// a client that has left one of its connections for another may have done it again
	auto may_be_its = [&](const Transactions::value_type &entry) {
		auto &transaction = entry.second;
		return transaction.client.authorization == client.authorization && transaction.peers.size() > 1 &&
		       HostOf(transaction.client.peer) == HostOf(client.peer) &&
		       std::any_of(transaction.peers.begin(), transaction.peers.end(), is_closed);
	};
	return std::any_of(transactions.begin(), transactions.end(), may_be_its);
}

std::string FlightSqlSessions::LikelyTransactionOf(const FlightSqlClient &client) {
	std::lock_guard<std::mutex> guard(lock);
	auto found = TransactionsOf(client);
	return found.size() == 1 && !transactions.at(found[0]).failed ? found[0] : "";
}

void FlightSqlSessions::EndClient(const FlightSqlClient &client) {
	SessionId session;
	{
		std::lock_guard<std::mutex> guard(lock);
		auto found = TransactionsOf(client);
		// of several it could be that of another client behind the same proxy
		if (found.size() != 1) {
			return;
		}
		auto entry = transactions.find(found[0]);
		session = entry->second.session;
		transactions.erase(entry);
	}
	Close(session);
}

bool FlightSqlSessions::HasGone(Transaction &transaction, const std::set<std::string> &open) const {
	if (transaction.uses > 0) {
		transaction.looks_without_peers = 0;
		return false;
	}
	auto is_open = [&](const std::string &peer) { return open.count(peer) > 0; };
	auto without_peers = std::none_of(transaction.peers.begin(), transaction.peers.end(), is_open);
	transaction.looks_without_peers = without_peers ? transaction.looks_without_peers + 1 : 0;
	// a client that comes by another connection each time, as some proxies let it, only has its time
	auto keeps_connection = transaction.peers.size() == 1 && !transaction.session.empty();
	if (keeps_connection && transaction.looks_without_peers >= limits::FLIGHT_SQL_GONE_LOOKS) {
		return true;
	}
	// one that has not done anything costs little: its client may just wait for its user
	auto waits = transaction.session.empty() && !without_peers;
	auto limit = waits ? limits::FLIGHT_SQL_UNUSED_MS : idle_ms;
	return clock.NowMs() - transaction.last_use > limit;
}

void FlightSqlSessions::Expire(const std::set<std::string> &open, std::vector<SessionId> &expired) {
	for (auto entry = transactions.begin(); entry != transactions.end();) {
		if (HasGone(entry->second, open)) {
			expired.push_back(entry->second.session);
			entry = transactions.erase(entry);
		} else {
			entry++;
		}
	}
}

void FlightSqlSessions::KeepAlive() {
	std::unique_lock<std::mutex> guard(lock);
	while (!stopping) {
		auto looks = !transactions.empty();
		guard.unlock();
		auto open = looks ? open_peers() : std::set<std::string>();
		guard.lock();
		std::vector<SessionId> expired;
		if (looks) {
			Expire(open, expired);
		}
		std::vector<SessionId> kept(single.begin(), single.end());
		for (auto &entry : transactions) {
			if (!entry.second.session.empty()) {
				kept.push_back(entry.second.session);
			}
		}
		guard.unlock();
		try {
			database->RenewSessions(kept);
		} catch (...) { // NOLINT: who uses them will see
		}
		for (auto &session : expired) {
			Close(session);
		}
		guard.lock();
		wake.wait_for(guard, std::chrono::milliseconds(limits::FLIGHT_SQL_LOOK_INTERVAL_MS), [&] { return stopping; });
	}
}

} // namespace duckherder
