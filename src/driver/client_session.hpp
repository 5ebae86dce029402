#pragma once

#include "common/clock.hpp"
#include "planner/lake_scans.hpp"
#include "protocol/database_service.hpp"

#include "duckdb.hpp"

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace duckherder {

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
	//! Of the running statement, in percent; negative if nobody knows, or if none runs
	double Progress();

	//! When it was last used; kept by the owner
	std::atomic<TimeMs> last_use {0};

private:
	class Upload;
	//! Has the connection for itself
	class Use;

	using Rows = duckdb::shared_ptr<duckdb::ColumnDataCollection>;

	void Release();
	//! The connection is ours
	void EnsureTransaction(int64_t start_us);
	void ApplySettings(const SessionStatement &statement);
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
	void Execute(const std::string &sql);

	const std::string database;
	const bool read_only;
	const Role role;
	duckdb::Connection connection;
	//! For the planner, and what it will be told of the next statement
	duckdb::shared_ptr<EarlierChanges> earlier;
	bool changed = false;
	//! Result settings that differ from the database's
	std::map<std::string, std::string> settings;

	std::mutex lock;
	std::condition_variable freed;
	bool busy = false;
	//! Its progress is that of the connection
	std::atomic<bool> executing {false};
	std::map<uint32_t, Rows> uploads;
};

} // namespace duckherder
