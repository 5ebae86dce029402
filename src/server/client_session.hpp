#pragma once

#include "common/clock.hpp"
#include "planner/rewrite/lake_scans.hpp"
#include "protocol/database_service.hpp"

#include "duckdb.hpp"
#include "duckdb/catalog/catalog_search_path.hpp"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

namespace duckherder {

//! What is told of an open session
struct SessionDescription {
	//! Among those of this process, from 1 on; no secret
	uint64_t number = 0;
	//! Where its client is: "ipv4:127.0.0.1:4711"
	std::string client;
	std::string protocol;
	bool read_only = false;
	//! Microseconds since the epoch
	int64_t opened_us = 0;
	//! When its transaction began; 0: there is none
	int64_t transaction_us = 0;
	bool running = false;
	//! The last one
	std::string statement;

	//! For people
	const char *State() const {
		return running ? "running" : transaction_us > 0 ? "in transaction" : "idle";
	}
};

//! One client's connection to the driver's database. One statement at a time: whoever comes meanwhile waits for its
//! end, at most SESSION_BUSY_WAIT_MS. Thread-safe.
class ClientSession : public std::enable_shared_from_this<ClientSession> {
public:
	//! `database` is the name of one of the instance's databases
	ClientSession(duckdb::DatabaseInstance &instance, std::string database, bool read_only, Role role);
	~ClientSession();

	CatalogListing ListCatalog(bool knows, uint64_t known_version);
	std::vector<TableEstimate> EstimateRows();
	ResultShape Describe(const std::string &sql, const duckdb::vector<duckdb::Value> &parameters);
	std::shared_ptr<ChunkSource> Run(const SessionStatement &statement,
	                                 const duckdb::vector<duckdb::LogicalType> &types, GoneCheck gone);
	std::unique_ptr<ChunkSink> OpenUpload(uint32_t number, const duckdb::vector<duckdb::LogicalType> &types);
	void Commit();
	void Rollback();

	//! Stops the running statement, if there is one. Does not wait.
	void Interrupt();
	bool Busy();
	SessionDescription Describe();
	//! Of the running statement, in percent; negative if nobody knows, or if none runs
	double Progress();

	//! When it was last used; kept by the owner
	std::atomic<TimeMs> last_use {0};
	//! Set by the owner before others know the session: who the client is, and since when
	SessionDescription description;
	//! Set likewise: who else has a transaction open, for errors that such a transaction may be the cause of
	std::function<std::string()> other_transactions;

private:
	class Upload;
	//! Has the connection for itself
	class Use;

	using Rows = duckdb::shared_ptr<duckdb::ColumnDataCollection>;

	void Release();
	//! The connection is ours
	void EnsureTransaction(int64_t start_us);
	void ApplySettings(const SessionStatement &statement);
	void ApplyTraceparent(const std::string &wanted);
	duckdb::unique_ptr<duckdb::SQLStatement> Prepare(const SessionStatement &statement);
	duckdb::vector<duckdb::unique_ptr<duckdb::SQLStatement>> Parse(const std::string &sql);
	//! Throws PermissionException unless the client's role may run it
	void Check(duckdb::SQLStatement &statement);
	//! In a transaction
	duckdb::unique_ptr<duckdb::LogicalOperator> DecodePlan(const SessionStatement &statement);
	//! One statement that the client may send
	duckdb::unique_ptr<duckdb::SQLStatement> ParseText(const std::string &sql);
	void InsertUploads(duckdb::unique_ptr<duckdb::LogicalOperator> &plan);
	void MarkModified(const std::set<std::string> &databases);
	//! Takes it away
	Rows TakeUpload(uint32_t number);
	void ReplaceSource(duckdb::SQLStatement &statement, uint32_t upload);
	//! An error that another session's transaction may be the cause of says who has one
	void NameHolders(duckdb::ErrorData &error) const;
	//! A macro names tables as the search path of its client finds them, where it was bound. Here every schema of the
	//! database will do, while it is bound again; false: as it was.
	void LookEverywhere(bool everywhere);
	void Execute(const std::string &sql);
	//! By COMMIT or ROLLBACK, if there is one
	void EndTransaction(const char *sql);

	const std::string database;
	const bool read_only;
	const Role role;
	duckdb::Connection connection;
	//! For the planner, and what it will be told of the next statement
	duckdb::shared_ptr<EarlierChanges> earlier;
	bool changed = false;
	//! The names of the result settings that came with the last statement
	std::set<std::string> settings;
	//! The search path that comes back after a definition
	std::optional<duckdb::vector<duckdb::CatalogSearchEntry>> own_search_path;

	std::mutex lock;
	std::condition_variable freed;
	bool busy = false;
	//! Its progress is that of the connection
	std::atomic<bool> executing {false};
	std::map<uint32_t, Rows> uploads;
	std::string last_statement;
	//! That the connection's statements belong to at the moment; used by the thread that runs one
	std::string traceparent;
	int64_t transaction_us = 0;
};

} // namespace duckherder
