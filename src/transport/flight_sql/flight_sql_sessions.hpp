#pragma once

#include "common/clock.hpp"
#include "protocol/database_service.hpp"
#include "transport/credentials/access.hpp"

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace duckherder {

//! Who makes a call of Flight SQL
struct FlightSqlClient {
	Role role = Role::READ;
	//! Its end of the connection: "ipv4:127.0.0.1:4711"
	std::string peer;
	//! The header that it shows, which no other client knows
	std::string authorization;
	//! The W3C trace context of the call, see TraceContext; empty: none, or a wrong one
	std::string traceparent;
	//! By which it told us that it is the same client, whatever its connections; empty: it keeps no cookies
	std::string cookie;
};

//! The sessions that Flight SQL's calls need: one for each statement outside of a transaction, one for each transaction
//! from its first statement on. Thread-safe.
//! A client is told from others by its cookie, or else by its connection. The protocol has no sign of life, so a thread
//! here keeps the sessions, and rolls back transactions whose client has closed all connections that they were used
//! over, or was silent for longer than `idle_ms`.
class FlightSqlSessions {
public:
	//! The peers of all connections that are open now
	using OpenPeers = std::function<std::set<std::string>()>;

	FlightSqlSessions(std::shared_ptr<DatabaseService> database, uint64_t idle_ms, OpenPeers open_peers);
	//! Rolls back all transactions
	~FlightSqlSessions();

	//! The session of one call. Its end rolls back, unless it belongs to a transaction of the client. Throws what the
	//! database throws, and InvalidInputException for a transaction that has ended or failed.
	class Use {
	public:
		Use(std::shared_ptr<FlightSqlSessions> owner, const std::string &transaction, const FlightSqlClient &client);
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
		//! The call has failed after some of its changes: the client's transaction, which would keep them, is rolled
		//! back, and can only be ended.
		void Fail() noexcept;

	private:
		const std::shared_ptr<FlightSqlSessions> owner;
		const std::string transaction;
		SessionId session;
	};

	//! Nobody can guess it. Throws ConnectionException if there are too many.
	std::string BeginTransaction(const FlightSqlClient &client);
	//! Throws what the commit throws; the transaction has ended then, too. Rolling back one that is not there (any
	//! more) is fine.
	void EndTransaction(const std::string &transaction, bool commit);
	//! The open transaction of a client whose call cannot name one, where that matters: for changes. Empty: it has
	//! none. Throws InvalidInputException if it could be one of several.
	std::string TransactionOf(const FlightSqlClient &client);
	//! And where it does not: empty as well if there are several, or if it has failed
	std::string LikelyTransactionOf(const FlightSqlClient &client);
	//! The client says that it goes
	void EndClient(const FlightSqlClient &client);

	const std::shared_ptr<DatabaseService> database;

private:
	struct Transaction {
		//! Empty as long as there was no statement
		SessionId session;
		uint32_t uses = 0;
		TimeMs last_use = 0;
		//! Who began it; clients with another role may not use it
		FlightSqlClient client;
		//! Those over which it was used
		std::set<std::string> peers;
		//! Looks in a row that found none of them open
		uint32_t looks_without_peers = 0;
		//! It is rolled back, and waits for its client to say so
		bool failed = false;
	};
	using Transactions = std::map<std::string, Transaction>;

	static bool IsOf(const Transaction &transaction, const FlightSqlClient &client);
	//! With the lock held
	std::vector<std::string> TransactionsOf(const FlightSqlClient &client) const;
	//! With the lock held. Whether it could be a client with a transaction that has come by another connection before
	bool MayHaveChangedConnections(const FlightSqlClient &client) const;

	SessionId Open(const FlightSqlClient &client);
	SessionId Enter(const std::string &transaction, const FlightSqlClient &client);
	void Leave(const std::string &transaction, const SessionId &session);
	void Close(const SessionId &session) noexcept;
	void KeepAlive();
	//! With the lock held. Takes those away whose clients have gone, and adds their sessions to `expired`.
	void Expire(const std::set<std::string> &open, std::vector<SessionId> &expired);
	bool HasGone(Transaction &transaction, const std::set<std::string> &open) const;

	const uint64_t idle_ms;
	const OpenPeers open_peers;
	SteadyClock clock;
	std::mutex lock;
	std::condition_variable wake;
	bool stopping = false;
	Transactions transactions;
	//! Of statements outside of transactions
	std::set<SessionId> single;
	std::thread keeper;
};

//! A name that nobody can guess
std::string MakeHandle();

} // namespace duckherder
