#pragma once

#include "common/clock.hpp"
#include "protocol/database_service.hpp"
#include "transport/access.hpp"

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace duckherder {

//! The sessions that Flight SQL's calls need: one for each statement outside of a transaction, one for each transaction
//! from its first statement on. The protocol has no sign of life of a client, so a thread here keeps the sessions, and
//! a transaction whose client was silent for FLIGHT_SQL_IDLE_MS is rolled back. Thread-safe.
class FlightSqlSessions {
public:
	explicit FlightSqlSessions(std::shared_ptr<DatabaseService> database);
	//! Rolls back all transactions
	~FlightSqlSessions();

	//! The session of one call. Its end rolls back, unless it belongs to a transaction of the client. Throws what the
	//! database throws.
	class Use {
	public:
		Use(std::shared_ptr<FlightSqlSessions> owner, const std::string &transaction, Role role);
		~Use();
		Use(const Use &) = delete;
		Use &operator=(const Use &) = delete;

		const SessionId &Session() const {
			return session;
		}
		//! Of the client: then its end is the client's business
		bool InTransaction() const {
			return !transaction.empty();
		}
		//! The statement has ended well
		void Commit();

	private:
		const std::shared_ptr<FlightSqlSessions> owner;
		const std::string transaction;
		SessionId session;
	};

	//! Nobody can guess it. Throws ConnectionException if there are too many.
	std::string BeginTransaction();
	//! Throws what the commit throws; the transaction has ended then, too. Rolling back one that is not there (any
	//! more) is fine.
	void EndTransaction(const std::string &transaction, bool commit);

	const std::shared_ptr<DatabaseService> database;

private:
	struct Transaction {
		//! Empty as long as there was no statement
		SessionId session;
		//! Of its first statement; others may not use it
		Role role = Role::READ;
		uint32_t uses = 0;
		TimeMs last_use = 0;
	};

	SessionId Open(Role role);
	SessionId Enter(const std::string &transaction, Role role);
	void Leave(const std::string &transaction, const SessionId &session);
	void Close(const SessionId &session) noexcept;
	void KeepAlive();

	SteadyClock clock;
	std::mutex lock;
	std::condition_variable wake;
	bool stopping = false;
	std::map<std::string, Transaction> transactions;
	//! Of statements outside of transactions
	std::set<SessionId> single;
	std::thread keeper;
};

//! A name that nobody can guess
std::string MakeHandle();

} // namespace duckherder
