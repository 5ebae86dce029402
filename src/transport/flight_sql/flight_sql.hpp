#pragma once

#include "wire/arrow_rows.hpp"
#include "protocol/database_service.hpp"
#include "transport/credentials/access.hpp"
#include "transport/flight_sql/flight_sql_messages.hpp"
#include "transport/flight_sql/flight_sql_sessions.hpp"
#include "transport/flight_sql/flight_sql_statements.hpp"

#include <arrow/flight/server.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace duckherder {

//! Flight SQL's calls to a driver's database, for programs that were not made for Duckherder: ADBC, JDBC, ODBC. What
//! they may do is their token's role: with 'read' all transactions are read only.
//! A statement that returns rows runs when its ticket is redeemed. One that does not has run when its FlightInfo is
//! there: some clients never ask for rows that they do not expect.
//! Thread-safe; calls block. The callers have shown their tokens. Errors are statuses with DuckDB's messages.
class FlightSql {
public:
	//! Transactions of clients that are silent for longer than `idle_ms` are rolled back
	FlightSql(std::shared_ptr<DatabaseService> database, uint64_t idle_ms);
	~FlightSql();

	//! Whether a descriptor's command or a ticket is for us
	static bool Knows(const std::string &bytes) {
		return flight_sql::IsPacked(bytes);
	}
	static bool KnowsAction(const std::string &type);

	//! Who calls. `context` and `stopping` are valid as long as the call and its stream.
	struct Caller {
		const arrow::flight::ServerCallContext &context;
		Role role;
		std::shared_ptr<std::atomic<bool>> stopping;

		bool Gone() const {
			return *stopping || context.is_cancelled();
		}
		FlightSqlClient Client() const;
	};

	arrow::Status GetFlightInfo(const Caller &caller, const arrow::flight::FlightDescriptor &descriptor,
	                            std::unique_ptr<arrow::flight::FlightInfo> *info);
	arrow::Status GetSchema(const Caller &caller, const arrow::flight::FlightDescriptor &descriptor,
	                        std::unique_ptr<arrow::flight::SchemaResult> *schema);
	arrow::Status DoGet(const Caller &caller, const arrow::flight::Ticket &ticket,
	                    std::unique_ptr<arrow::flight::FlightDataStream> *stream);
	arrow::Status DoPut(const Caller &caller, arrow::flight::FlightMessageReader &reader,
	                    arrow::flight::FlightMetadataWriter &writer);
	arrow::Status DoAction(const Caller &caller, const arrow::flight::Action &action,
	                       std::unique_ptr<arrow::flight::ResultStream> *results);

private:
	using Descriptor = arrow::flight::FlightDescriptor;
	using Info = std::unique_ptr<arrow::flight::FlightInfo>;

	//! Null: its columns are not known before its parameters
	std::shared_ptr<arrow::Schema> SchemaOf(const ResultShape &shape);
	Info StatementInfo(const Caller &caller, const Descriptor &descriptor, const flight_sql::StatementRequest &request);
	Info PreparedInfo(const Caller &caller, const Descriptor &descriptor, const std::string &handle);
	//! `use` is null if the statement has not been looked at in a session
	Info InfoOf(const Caller &caller, const Descriptor &descriptor, PendingStatement statement,
	            std::unique_ptr<FlightSqlSessions::Use> use, std::vector<ParameterRow> rows);
	//! Commits, too; how many rows were changed
	int64_t RunForAll(const Caller &caller, FlightSqlSessions::Use &use, const PendingStatement &statement,
	                  const std::vector<ParameterRow> &rows);
	Info MetadataInfo(const Descriptor &descriptor, const flight_sql::Packed &command);

	//! Runs a statement to its end; how many rows it has changed, or returned
	int64_t RunToEnd(const Caller &caller, FlightSqlSessions::Use &use, const std::string &sql, StatementAnswer answer,
	                 const ParameterRow &parameters);
	int64_t RunToEnd(const Caller &caller, const SessionStatement &statement, StatementAnswer answer);
	std::shared_ptr<ChunkSource> Run(const FlightSqlSessions::Use &use, const std::string &sql,
	                                 const ParameterRow &parameters, const std::string &traceparent, GoneCheck gone);
	std::unique_ptr<arrow::flight::FlightDataStream> StatementStream(const Caller &caller, const std::string &handle);
	std::unique_ptr<arrow::flight::FlightDataStream> MetadataStream(const Caller &caller,
	                                                                const flight_sql::Packed &command);

	int64_t Update(const Caller &caller, const flight_sql::StatementRequest &request);
	int64_t UpdatePrepared(const Caller &caller, const std::string &handle, arrow::flight::FlightMessageReader &reader);
	//! Calls `run` for each row of parameters that the client sends; false if it sends none
	bool RunForRows(const Caller &caller, arrow::flight::FlightMessageReader &reader,
	                const std::function<void(const ParameterRow &)> &run);
	void Bind(const Caller &caller, const std::string &handle, arrow::flight::FlightMessageReader &reader);
	void Ingest(const Caller &caller, const flight_sql::IngestRequest &request,
	            arrow::flight::FlightMessageReader &reader, arrow::flight::FlightMetadataWriter &writer);

	std::string Prepare(const Caller &caller, const flight_sql::StatementRequest &request);
	std::string Act(const Caller &caller, const arrow::flight::Action &action);

	const std::shared_ptr<DatabaseService> database;
	const std::shared_ptr<ArrowTypes> types;
	const std::shared_ptr<FlightSqlSessions> sessions;
	FlightSqlStatements statements;
	std::atomic<uint32_t> next_upload {0};
};

} // namespace duckherder
