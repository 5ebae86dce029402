#pragma once

#include "protocol/chunk_source.hpp"
#include "protocol/messages.hpp"
#include "protocol/role.hpp"

#include "duckdb/common/types/value.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace duckherder {

//! Names one client's session at a driver. Nobody can guess it.
using SessionId = std::string;

//! What a client wants of its session.
struct SessionRequest {
	std::string duckdb_version;
	uint32_t protocol_version = PROTOCOL_VERSION;
	//! The client wants this one of the driver's databases; if it is empty, the main one.
	std::string database;
	//! All transactions of the session are read only.
	bool read_only = false;
	//! The answer lists the functions.
	bool wants_functions = false;
	// The transport at the driver sets the following, for people. It does not travel.
	//! The client's connection comes from here: "ipv4:127.0.0.1:4711".
	std::string client;
	std::string protocol;
};

struct SessionInfo {
	SessionId id;
	//! The name differs after each start of the driver, because catalog versions then begin anew.
	std::string driver_instance;
	//! The driver itself calls the database this. It is the name that belongs into plans.
	std::string database;
	std::string default_schema;
	std::string catalog_type;
	bool read_only = false;
	//! Plans may call these functions there. The names are in lower case.
	std::vector<std::string> functions;
};

//! The definitions of a database as a transaction sees them.
struct CatalogListing {
	//! The caller has this version already: nothing else is set.
	bool unchanged = false;
	bool has_version = false;
	uint64_t version = 0;
	//! The definitions are encoded CatalogItems.
	std::string items;
};

//! About how many rows a table has.
struct TableEstimate {
	std::string schema;
	std::string table;
	uint64_t rows = 0;
};

enum class StatementKind : uint8_t {
	PLAN = 0,       //! a fragment, not optimized or optimized: it is optimized anyway
	DEFINITION = 1, //! a ParseInfo: CREATE, ALTER, DROP
	SQL = 2         //! text that the user addressed to the driver itself
};

struct SessionStatement {
	SessionId session;
	StatementKind kind = StatementKind::PLAN;
	std::string body;
	//! This is the user's text, for people and statistics.
	std::string text;
	//! The plan changes the session's database, as its sender says. The driver looks itself.
	bool writes = false;
	//! The driver makes the whole result first and keeps it, so that the next statement need not wait for its end.
	bool buffered = false;
	//! The plan is explained as EXPLAIN does it, or EXPLAIN ANALYZE, instead of being run: the names of DuckDB's
	//! ExplainType and ExplainFormat. If they are empty, it runs.
	std::string explain_type;
	std::string explain_format;
	//! The trace context of the caller, see TraceContext; it may be empty.
	std::string traceparent;
	//! These are settings as in TaskRequest.
	std::vector<std::pair<std::string, std::string>> settings;
	//! This is now() of the client's transaction, in microseconds since the epoch.
	int64_t transaction_start_us = 0;
	// What follows does not travel: it is for callers in the driver's own process.
	//! These are the values of the parameters of an SQL text, in the order of their numbers.
	duckdb::vector<duckdb::Value> parameters;
	//! The caller would encode the rows, so the threads that make them do it, unless the result is buffered.
	bool encoded = false;
	//! An INSERT takes its rows from the upload with this number. Its text has a source with as many columns.
	std::optional<uint32_t> upload;

	static SessionStatement OfText(SessionId session, const std::string &sql) {
		SessionStatement statement;
		statement.session = std::move(session);
		statement.kind = StatementKind::SQL;
		statement.body = sql;
		statement.text = sql;
		return statement;
	}
};

//! What a statement answers if it has no error.
enum class StatementAnswer : uint8_t {
	ROWS = 0,
	COUNT = 1, //! one row with the number of rows that were changed
	NOTHING = 2
};

struct ResultShape {
	std::vector<std::string> names;
	duckdb::vector<duckdb::LogicalType> types;
	// What follows does not travel: it is for callers in the driver's own process.
	StatementAnswer answer = StatementAnswer::ROWS;
	//! These are the parameters in the order of their numbers. Where the text leaves a type open, here or of a column,
	//! it is UNKNOWN.
	std::vector<std::string> parameter_names;
	duckdb::vector<duckdb::LogicalType> parameter_types;
};

//! Takes rows, one chunk after another. One thread at a time uses it.
class ChunkSink {
public:
	virtual ~ChunkSink() = default;
	virtual void Append(duckdb::DataChunk &chunk) = 0;
	//! Says that all rows were given; without it they are dropped. The call blocks until the other side has all of
	//! them.
	virtual void Finish() = 0;
};

//! Returns whether whoever waits for a statement has gone.
using GoneCheck = std::function<bool()>;

//! What a driver offers to clients that use its database. A session runs one statement at a time, in a transaction that
//! begins with the first statement (or look at the catalog) after the last end of one. A session that is neither used
//! nor renewed for SESSION_LEASE_MS is rolled back and closed. A service is thread-safe. Its methods block, and throw
//! DuckDB's exceptions of what happened there, InvalidInputException for a session that is not there (any more), and
//! IOException if the driver cannot be reached.
class DatabaseService {
public:
	virtual ~DatabaseService() = default;

	//! `caller` is the role of the token that asks, which only the transport at the driver knows. What a client's side
	//! says does not travel. Statements of the session may do what this role may, see docs/security.md.
	virtual SessionInfo OpenSession(const SessionRequest &request, Role caller) = 0;
	//! Closes the session and rolls back. The call is idempotent.
	virtual void CloseSession(const SessionId &session) = 0;
	//! Returns how much of the statement that runs in each of them is done, in percent. The number is negative if
	//! nobody knows, or if no statement runs.
	virtual std::vector<double> RenewSessions(const std::vector<SessionId> &sessions) = 0;

	//! `known_version` is the version that the caller has, if `knows` is set.
	virtual CatalogListing ListCatalog(const SessionId &session, bool knows, uint64_t known_version) = 0;
	//! Returns the estimates of those tables that know one.
	virtual std::vector<TableEstimate> EstimateRows(const SessionId &session) = 0;
	//! Returns what the SQL text would return, and does not run it. With the values of all its parameters, which do not
	//! travel either, no types are left open.
	virtual ResultShape Describe(const SessionId &session, const std::string &sql,
	                             const duckdb::vector<duckdb::Value> &parameters) = 0;
	ResultShape Describe(const SessionId &session, const std::string &sql) {
		return Describe(session, sql, {});
	}
	//! Starts a statement whose result has columns of these types. Without any types an SQL text may return what it
	//! likes. Closing the source ends the statement.
	virtual std::shared_ptr<ChunkSource> Run(const SessionStatement &statement,
	                                         const duckdb::vector<duckdb::LogicalType> &types, GoneCheck gone) = 0;
	//! Takes the rows for an exchange scan with this number in the session's next plan.
	virtual std::unique_ptr<ChunkSink> OpenUpload(const SessionId &session, uint32_t number,
	                                              const duckdb::vector<duckdb::LogicalType> &types) = 0;

	//! COMMIT waits for the end of the running statement, ROLLBACK ends it. If no transaction runs, there is nothing to
	//! do.
	virtual void Commit(const SessionId &session) = 0;
	virtual void Rollback(const SessionId &session) = 0;
};

} // namespace duckherder
