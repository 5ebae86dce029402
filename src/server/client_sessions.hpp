#pragma once

#include "server/client_session.hpp"

#include <condition_variable>
#include <thread>

namespace duckherder {

//! The sessions of a driver's clients, on a database that it does not keep alive without them. Thread-safe.
class ClientSessions : public DatabaseService, public std::enable_shared_from_this<ClientSessions> {
public:
	//! `main_database`: what clients get that name none; empty: the instance's own
	ClientSessions(duckdb::weak_ptr<duckdb::DatabaseInstance> instance, std::shared_ptr<Clock> clock,
	               std::string main_database = std::string());
	//! Rolls all back
	~ClientSessions() override;

	SessionInfo OpenSession(const SessionRequest &request, Role caller) override;
	void CloseSession(const SessionId &session) override;
	std::vector<double> RenewSessions(const std::vector<SessionId> &sessions) override;
	CatalogListing ListCatalog(const SessionId &session, bool knows, uint64_t known_version) override;
	std::vector<TableEstimate> EstimateRows(const SessionId &session) override;
	using DatabaseService::Describe;
	ResultShape Describe(const SessionId &session, const std::string &sql,
	                     const duckdb::vector<duckdb::Value> &parameters) override;
	std::shared_ptr<ChunkSource> Run(const SessionStatement &statement,
	                                 const duckdb::vector<duckdb::LogicalType> &types, GoneCheck gone) override;
	std::unique_ptr<ChunkSink> OpenUpload(const SessionId &session, uint32_t number,
	                                      const duckdb::vector<duckdb::LogicalType> &types) override;
	void Commit(const SessionId &session) override;
	void Rollback(const SessionId &session) override;

	//! Those that are open
	size_t Count();
	std::vector<SessionDescription> List();

private:
	std::shared_ptr<ClientSession> Find(const SessionId &session);
	//! Of sessions other than this one; empty: none has one
	std::string TransactionsBeside(uint64_t number);
	//! Closes those whose clients are silent, until the end
	void WatchLeases();

	const duckdb::weak_ptr<duckdb::DatabaseInstance> instance;
	const std::shared_ptr<Clock> clock;
	const std::string main_database;
	const std::string driver_instance;
	std::mutex lock;
	std::map<SessionId, std::shared_ptr<ClientSession>> sessions;
	uint64_t last_number = 0;
	std::condition_variable wake;
	bool stopping = false;
	std::thread watch;
};

} // namespace duckherder
