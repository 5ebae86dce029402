#include "transport/flight_sql/flight_sql.hpp"

#include "common/limits.hpp"
#include "protocol/trace_context.hpp"
#include "transport/flight/client_cookie.hpp"
#include "transport/flight/flight_protocol.hpp"
#include "transport/flight_sql/flight_sql_batches.hpp"
#include "transport/flight_sql/flight_sql_metadata.hpp"
#include "transport/flight_sql/flight_sql_rows.hpp"
#include "transport/flight/open_peers.hpp"

#include "duckdb/common/exception.hpp"

#include <arrow/array.h>
#include <arrow/array/util.h>
#include <arrow/scalar.h>
#include <arrow/table.h>

#include <set>

namespace duckherder {

namespace flight = arrow::flight;

using duckdb::InvalidInputException;

namespace {

constexpr const char *CANCEL_FLIGHT_INFO = "CancelFlightInfo";

template <class FUNCTION>
arrow::Status Answer(FUNCTION function) {
	try {
		function();
		return arrow::Status::OK();
	} catch (std::exception &error) {
		return FlightSqlStatus(error);
	}
}

template <class T>
T Checked(arrow::Result<T> result) {
	if (!result.ok()) {
		throw InvalidInputException(result.status().message());
	}
	return std::move(result).ValueUnsafe();
}

//! A table of one column and one row, or no row
std::shared_ptr<arrow::RecordBatch> CountBatch(const std::shared_ptr<arrow::Schema> &schema,
                                               const PendingStatement &statement) {
	if (statement.shape.answer != StatementAnswer::COUNT || schema->num_fields() != 1 ||
	    schema->field(0)->type()->id() != arrow::Type::INT64) {
		return Checked(arrow::RecordBatch::MakeEmpty(schema));
	}
	auto value = arrow::MakeScalar(*statement.changed);
	auto column = Checked(arrow::MakeArrayFromScalar(*value, 1));
	return arrow::RecordBatch::Make(schema, 1, {std::move(column)});
}

std::unique_ptr<flight::FlightDataStream> StreamOf(std::shared_ptr<arrow::RecordBatch> batch) {
	auto schema = batch->schema();
	auto reader = Checked(arrow::RecordBatchReader::Make(CutBatch(batch), schema));
	return std::make_unique<flight::RecordBatchStream>(std::move(reader));
}

//! A value as a parameter: DuckDB casts microseconds to all other units, but others not to each other
duckdb::Value ParameterOf(duckdb::Value value) {
	auto type = value.type().id();
	auto coarse = type == duckdb::LogicalTypeId::TIMESTAMP_MS || type == duckdb::LogicalTypeId::TIMESTAMP_SEC;
	return coarse ? value.DefaultCastAs(duckdb::LogicalType::TIMESTAMP) : value;
}

std::vector<ParameterRow> RowsOf(duckdb::DataChunk &chunk) {
	std::vector<ParameterRow> rows;
	for (duckdb::idx_t row = 0; row < chunk.size(); row++) {
		ParameterRow values;
		for (duckdb::idx_t column = 0; column < chunk.ColumnCount(); column++) {
			values.push_back(ParameterOf(chunk.GetValue(column, row)));
		}
		rows.push_back(std::move(values));
	}
	return rows;
}

void Write(flight::FlightMetadataWriter &writer, const std::string &bytes) {
	auto status = writer.WriteMetadata(*arrow::Buffer::FromString(bytes));
	// who does not read the answer has hung up
	static_cast<void>(status);
}

[[noreturn]] void ThrowBrokenOff() {
	throw duckdb::IOException("The rows of the client broke off before their end: nothing of them is kept");
}

void CheckStillThere(const GoneCheck &gone) {
	if (gone()) {
		ThrowBrokenOff();
	}
}

} // namespace

void ReadBatches(flight::FlightMessageReader &reader, const GoneCheck &gone,
                 const std::function<void(const std::shared_ptr<arrow::RecordBatch> &)> &take) {
	auto empty = 0;
	// the message with the descriptor may have neither rows nor metadata, and so looks like an end
	while (empty < 2) {
		auto message = reader.Next();
		if (!message.ok()) {
			throw InvalidInputException("The rows of the client cannot be read: %s", message.status().message());
		}
		if (message->data) {
			take(message->data);
			empty = 0;
		} else if (!message->app_metadata) {
			empty++;
		}
	}
	// Arrow says the same of a client that has sent all and of one whose stream was reset
	CheckStillThere(gone);
}

void AnswerBeforeCommit(flight::FlightMetadataWriter &writer, const GoneCheck &gone, const std::string &answer) {
	// gRPC refuses to write to a stream that it has seen reset, even where it has not told the call of that yet
	auto status = writer.WriteMetadata(*arrow::Buffer::FromString(answer));
	if (!status.ok()) {
		ThrowBrokenOff();
	}
	CheckStillThere(gone);
}

FlightSqlClient FlightSql::Caller::Client() const {
	FlightSqlClient client;
	client.role = role;
	client.peer = context.peer();
	client.cookie = ClientCookie::Of(context.incoming_headers());
	auto header = context.incoming_headers().find(flight_protocol::AUTHORIZATION_HEADER);
	if (header != context.incoming_headers().end()) {
		client.authorization = std::string(header->second);
	}
	auto trace = context.incoming_headers().find("traceparent");
	auto traced = trace != context.incoming_headers().end() && IsTraceparent(std::string(trace->second));
	client.traceparent = traced ? std::string(trace->second) : std::string();
	return client;
}

FlightSql::FlightSql(std::shared_ptr<DatabaseService> database_p, uint64_t idle_ms)
    : database(std::move(database_p)), types(std::make_shared<ArrowTypes>()),
      sessions(std::make_shared<FlightSqlSessions>(database, idle_ms, OpenPeers)) {
}

FlightSql::~FlightSql() = default;

bool FlightSql::KnowsAction(const std::string &type) {
	static const std::set<std::string> actions = {
	    "CreatePreparedStatement", "ClosePreparedStatement", "BeginTransaction", "EndTransaction", "CancelQuery",
	    CANCEL_FLIGHT_INFO,
	    // and those that we say about that there is none here
	    "CreatePreparedSubstraitPlan", "BeginSavepoint", "EndSavepoint", "SetSessionOptions", "GetSessionOptions",
	    "CloseSession", "RenewFlightEndpoint"};
	return actions.count(type) > 0;
}

std::shared_ptr<arrow::Schema> FlightSql::SchemaOf(const ResultShape &shape) {
	for (auto &type : shape.types) {
		if (type.id() == duckdb::LogicalTypeId::UNKNOWN) {
			return nullptr;
		}
	}
	return types->SchemaOf(shape.types, shape.names);
}

int64_t FlightSql::RunForAll(const Caller &caller, FlightSqlSessions::Use &use, const PendingStatement &statement,
                             const std::vector<ParameterRow> &rows) {
	int64_t changed = 0;
	auto began = false;
	try {
		for (auto &row : rows) {
			changed += RunToEnd(caller, use, statement.sql, statement.shape.answer, row);
			began = true;
		}
		use.Commit();
	} catch (...) {
		if (began) {
			use.Fail();
		}
		throw;
	}
	return changed;
}

FlightSql::Info FlightSql::InfoOf(const Caller &caller, const Descriptor &descriptor, PendingStatement statement,
                                  std::unique_ptr<FlightSqlSessions::Use> use, std::vector<ParameterRow> rows) {
	auto schema = SchemaOf(statement.shape);
	if (rows.empty()) {
		rows.emplace_back();
	}
	if (statement.shape.answer != StatementAnswer::ROWS) {
		if (!use) {
			use = std::make_unique<FlightSqlSessions::Use>(sessions, statement.transaction, caller.Client());
		}
		statement.changed = RunForAll(caller, *use, statement, rows);
	} else if (rows.size() > 1) {
		throw InvalidInputException("A statement that returns rows takes one row of parameters, not %llu", rows.size());
	} else {
		statement.parameters = std::move(rows[0]);
	}
	flight::FlightInfo::Data data;
	data.descriptor = descriptor;
	data.total_records = statement.changed.value_or(-1);
	if (schema) {
		data.schema = flight_sql::SchemaBytes(*schema);
	}
	auto handle = flight_sql::WriteHandle(statements.AddPending(std::move(statement)));
	flight::FlightEndpoint endpoint;
	endpoint.ticket.ticket = flight_sql::Pack("TicketStatementQuery", handle);
	data.endpoints.push_back(std::move(endpoint));
	return std::make_unique<flight::FlightInfo>(std::move(data));
}

FlightSql::Info FlightSql::StatementInfo(const Caller &caller, const Descriptor &descriptor,
                                         const flight_sql::StatementRequest &request) {
	auto use = std::make_unique<FlightSqlSessions::Use>(sessions, request.transaction, caller.Client());
	PendingStatement statement;
	statement.sql = request.query;
	statement.traceparent = caller.Client().traceparent;
	statement.transaction = request.transaction;
	statement.shape = database->Describe(use->Session(), request.query);
	return InfoOf(caller, descriptor, std::move(statement), std::move(use), {});
}

FlightSql::Info FlightSql::PreparedInfo(const Caller &caller, const Descriptor &descriptor, const std::string &handle) {
	auto prepared = statements.Prepared(handle);
	PendingStatement statement;
	statement.sql = prepared->sql;
	statement.traceparent = caller.Client().traceparent;
	statement.transaction = prepared->transaction;
	statement.shape = prepared->shape;
	std::vector<ParameterRow> rows;
	{
		std::lock_guard<std::mutex> guard(prepared->lock);
		rows = prepared->bound;
	}
	if (rows.size() == 1 && !SchemaOf(statement.shape)) {
		// now that the values are there
		FlightSqlSessions::Use use(sessions, statement.transaction, caller.Client());
		statement.shape = database->Describe(use.Session(), statement.sql, rows[0]);
	}
	return InfoOf(caller, descriptor, std::move(statement), nullptr, std::move(rows));
}

FlightSql::Info FlightSql::MetadataInfo(const Descriptor &descriptor, const flight_sql::Packed &command) {
	auto schema = flight_sql::MetadataSchema(command);
	if (!schema) {
		throw duckdb::NotImplementedException("The Flight SQL command %s is not supported", command.name);
	}
	flight::FlightInfo::Data data;
	data.descriptor = descriptor;
	data.schema = flight_sql::SchemaBytes(*schema);
	flight::FlightEndpoint endpoint;
	// the question itself: nothing has to be remembered
	endpoint.ticket.ticket = descriptor.cmd;
	data.endpoints.push_back(std::move(endpoint));
	return std::make_unique<flight::FlightInfo>(std::move(data));
}

arrow::Status FlightSql::GetFlightInfo(const Caller &caller, const Descriptor &descriptor,
                                       std::unique_ptr<flight::FlightInfo> *info) {
	return Answer([&] {
		auto command = flight_sql::Unpack(descriptor.cmd);
		if (command.name == "CommandStatementQuery") {
			*info = StatementInfo(caller, descriptor, flight_sql::ReadStatementRequest(command.body));
		} else if (command.name == "CommandPreparedStatementQuery") {
			*info = PreparedInfo(caller, descriptor, flight_sql::ReadHandle(command.body));
		} else {
			*info = MetadataInfo(descriptor, command);
		}
	});
}

arrow::Status FlightSql::GetSchema(const Caller &caller, const Descriptor &descriptor,
                                   std::unique_ptr<flight::SchemaResult> *result) {
	return Answer([&] {
		auto command = flight_sql::Unpack(descriptor.cmd);
		std::shared_ptr<arrow::Schema> schema;
		if (command.name == "CommandStatementQuery") {
			auto request = flight_sql::ReadStatementRequest(command.body);
			FlightSqlSessions::Use use(sessions, request.transaction, caller.Client());
			schema = SchemaOf(database->Describe(use.Session(), request.query));
		} else if (command.name == "CommandPreparedStatementQuery") {
			schema = SchemaOf(statements.Prepared(flight_sql::ReadHandle(command.body))->shape);
		} else {
			schema = flight_sql::MetadataSchema(command);
		}
		if (!schema) {
			throw duckdb::NotImplementedException("The schema of this %s is not known", command.name);
		}
		*result = Checked(flight::SchemaResult::Make(*schema));
	});
}

std::shared_ptr<ChunkSource> FlightSql::Run(const FlightSqlSessions::Use &use, const std::string &sql,
                                            const ParameterRow &parameters, const std::string &traceparent,
                                            GoneCheck gone) {
	auto statement = SessionStatement::OfText(use.Session(), sql);
	statement.parameters = parameters;
	statement.traceparent = traceparent;
	// then the client may begin another statement of the transaction before it has read all rows of this one
	statement.buffered = use.InTransaction();
	return database->Run(statement, {}, std::move(gone));
}

int64_t FlightSql::RunToEnd(const Caller &caller, FlightSqlSessions::Use &use, const std::string &sql,
                            StatementAnswer answer, const ParameterRow &parameters) {
	auto statement = SessionStatement::OfText(use.Session(), sql);
	statement.parameters = parameters;
	statement.traceparent = caller.Client().traceparent;
	return RunToEnd(caller, statement, answer);
}

int64_t FlightSql::RunToEnd(const Caller &caller, const SessionStatement &statement, StatementAnswer answer) {
	auto source = database->Run(statement, {}, [&] { return caller.Gone(); });
	auto reader = source->OpenReader();
	duckdb::DataChunk chunk;
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), source->Types());
	int64_t rows = 0;
	int64_t changed = 0;
	while (true) {
		chunk.Reset();
		reader->Next(chunk);
		if (chunk.size() == 0) {
			break;
		}
		rows += static_cast<int64_t>(chunk.size());
		if (answer == StatementAnswer::COUNT) {
			changed += chunk.GetValue(0, 0).GetValue<int64_t>();
		}
	}
	return answer == StatementAnswer::ROWS ? rows : changed;
}

std::unique_ptr<flight::FlightDataStream> FlightSql::StatementStream(const Caller &caller, const std::string &handle) {
	auto running = statements.TakePending(handle);
	auto &statement = running.statement;
	auto schema = SchemaOf(statement.shape);
	if (statement.changed) {
		return StreamOf(CountBatch(schema ? schema : arrow::schema({}), statement));
	}
	auto gone = [context = &caller.context, stopping = caller.stopping, cancelled = running.cancelled] {
		return *stopping || *cancelled || context->is_cancelled();
	};
	auto client = caller.Client();
	auto use = std::make_unique<FlightSqlSessions::Use>(sessions, statement.transaction, client);
	auto &traceparent = client.traceparent.empty() ? statement.traceparent : client.traceparent;
	auto source = Run(*use, statement.sql, statement.parameters, traceparent, gone);
	if (source->Types() != statement.shape.types) {
		throw InvalidInputException("The columns of the statement have changed since its client was told about them");
	}
	auto rows = std::make_shared<StatementRows>(types, std::move(use), std::move(source), statement.shape.names,
	                                            std::move(gone), std::move(running.presence));
	return std::make_unique<flight::RecordBatchStream>(std::move(rows));
}

std::unique_ptr<flight::FlightDataStream> FlightSql::MetadataStream(const Caller &caller,
                                                                    const flight_sql::Packed &command) {
	// what the client's transaction has made is there for it
	FlightSqlSessions::Use use(sessions, sessions->LikelyTransactionOf(caller.Client()), caller.Client());
	flight_sql::MetadataSource source;
	source.types = types;
	source.read_only = caller.role == Role::READ;
	source.describe = [&](const std::string &sql) { return database->Describe(use.Session(), sql); };
	source.query = [&](const std::string &sql, const ParameterRow &parameters) {
		auto names = database->Describe(use.Session(), sql, parameters).names;
		auto rows = Run(use, sql, parameters, caller.Client().traceparent, [&] { return caller.Gone(); });
		auto reader = rows->OpenReader();
		ArrowRowsEncoder encoder(types, rows->Types(), names);
		duckdb::DataChunk chunk;
		chunk.Initialize(duckdb::Allocator::DefaultAllocator(), rows->Types());
		while (true) {
			chunk.Reset();
			reader->Next(chunk);
			if (chunk.size() == 0) {
				break;
			}
			encoder.Append(chunk);
		}
		encoder.Finish();
		arrow::RecordBatchVector batches;
		while (auto batch = encoder.Take()) {
			batches.push_back(std::move(batch));
		}
		auto table = Checked(arrow::Table::FromRecordBatches(encoder.Schema(), batches));
		return Checked(table->CombineChunksToBatch());
	};
	return StreamOf(flight_sql::MetadataRows(command, source));
}

arrow::Status FlightSql::DoGet(const Caller &caller, const flight::Ticket &ticket,
                               std::unique_ptr<flight::FlightDataStream> *stream) {
	return Answer([&] {
		auto command = flight_sql::Unpack(ticket.ticket);
		if (command.name == "TicketStatementQuery") {
			*stream = StatementStream(caller, flight_sql::ReadHandle(command.body));
		} else {
			*stream = MetadataStream(caller, command);
		}
	});
}

int64_t FlightSql::Update(const Caller &caller, const flight_sql::StatementRequest &request) {
	FlightSqlSessions::Use use(sessions, request.transaction, caller.Client());
	auto shape = database->Describe(use.Session(), request.query);
	auto changed = RunToEnd(caller, use, request.query, shape.answer, {});
	use.Commit();
	return changed;
}

int64_t FlightSql::UpdatePrepared(const Caller &caller, const std::string &handle,
                                  flight::FlightMessageReader &reader) {
	auto prepared = statements.Prepared(handle);
	FlightSqlSessions::Use use(sessions, prepared->transaction, caller.Client());
	int64_t changed = 0;
	auto began = false;
	auto run = [&](const ParameterRow &row) {
		changed += RunToEnd(caller, use, prepared->sql, prepared->shape.answer, row);
		began = true;
	};
	try {
		if (prepared->shape.parameter_types.empty()) {
			run({});
		} else if (!RunForRows(caller, reader, run)) {
			for (auto &row : prepared->BoundRows()) {
				run(row);
			}
		}
		use.Commit();
	} catch (...) {
		if (began) {
			use.Fail();
		}
		throw;
	}
	return changed;
}

bool FlightSql::RunForRows(const Caller &caller, flight::FlightMessageReader &reader,
                           const std::function<void(const ParameterRow &)> &run) {
	auto came = false;
	auto gone = [&] { return caller.Gone(); };
	ReadBatches(reader, gone, [&](const std::shared_ptr<arrow::RecordBatch> &batch) {
		came = came || batch->num_columns() > 0;
		types->ReadBatch(batch, [&](duckdb::DataChunk &chunk) {
			for (auto &row : RowsOf(chunk)) {
				run(row);
			}
		});
	});
	return came;
}

void FlightSql::Bind(const Caller &caller, const std::string &handle, flight::FlightMessageReader &reader) {
	auto prepared = statements.Prepared(handle);
	std::vector<ParameterRow> rows;
	ReadBatches(
	    reader, [&] { return caller.Gone(); },
	    [&](const std::shared_ptr<arrow::RecordBatch> &batch) {
		    types->ReadBatch(batch, [&](duckdb::DataChunk &chunk) {
			    for (auto &row : RowsOf(chunk)) {
				    rows.push_back(std::move(row));
			    }
			    if (rows.size() > limits::FLIGHT_SQL_BOUND_ROWS_MAX) {
				    throw InvalidInputException("At most %d rows of parameters can be bound",
				                                limits::FLIGHT_SQL_BOUND_ROWS_MAX);
			    }
		    });
	    });
	std::lock_guard<std::mutex> guard(prepared->lock);
	prepared->bound = std::move(rows);
}

arrow::Status FlightSql::DoPut(const Caller &caller, flight::FlightMessageReader &reader,
                               flight::FlightMetadataWriter &writer) {
	return Answer([&] {
		auto command = flight_sql::Unpack(reader.descriptor().cmd);
		if (command.name == "CommandStatementUpdate") {
			auto count = Update(caller, flight_sql::ReadStatementRequest(command.body));
			Write(writer, flight_sql::WriteUpdateResult(count));
		} else if (command.name == "CommandPreparedStatementUpdate") {
			auto count = UpdatePrepared(caller, flight_sql::ReadHandle(command.body), reader);
			Write(writer, flight_sql::WriteUpdateResult(count));
		} else if (command.name == "CommandPreparedStatementQuery") {
			auto handle = flight_sql::ReadHandle(command.body);
			Bind(caller, handle, reader);
			Write(writer, flight_sql::WriteHandle(handle));
		} else if (command.name == "CommandStatementIngest") {
			Ingest(caller, flight_sql::ReadIngestRequest(command.body), reader, writer);
		} else {
			throw duckdb::NotImplementedException("The Flight SQL command %s is not supported", command.name);
		}
	});
}

std::string FlightSql::Prepare(const Caller &caller, const flight_sql::StatementRequest &request) {
	auto prepared = std::make_shared<PreparedText>();
	prepared->sql = request.query;
	prepared->transaction = request.transaction;
	{
		FlightSqlSessions::Use use(sessions, request.transaction, caller.Client());
		prepared->shape = database->Describe(use.Session(), request.query);
	}
	auto &shape = prepared->shape;
	flight_sql::PreparedStatementResult result;
	result.is_update = shape.answer != StatementAnswer::ROWS;
	// by its columns some clients see what it is
	auto dataset = result.is_update ? arrow::schema({}) : types->SchemaOf(shape.types, shape.names);
	result.dataset_schema = flight_sql::SchemaBytes(*dataset);
	result.parameter_schema =
	    flight_sql::SchemaBytes(*types->ParameterSchemaOf(shape.parameter_types, shape.parameter_names));
	result.handle = statements.AddPrepared(std::move(prepared));
	return flight_sql::Pack("ActionCreatePreparedStatementResult", flight_sql::WritePreparedStatementResult(result));
}

std::string FlightSql::Act(const Caller &caller, const flight::Action &action) {
	auto body = action.body ? action.body->ToString() : std::string();
	auto cancel = [&](const std::string &ticket) {
		auto command = flight_sql::Unpack(ticket);
		return command.name == "TicketStatementQuery" ? statements.Cancel(flight_sql::ReadHandle(command.body))
		                                              : CancelOutcome::NOT_THERE;
	};
	auto cancel_all = [&](const flight::FlightInfo &info) {
		auto outcome = CancelOutcome::NOT_THERE;
		for (auto &endpoint : info.endpoints()) {
			outcome = cancel(endpoint.ticket.ticket);
		}
		return outcome;
	};
	if (action.type == CANCEL_FLIGHT_INFO) {
		// a message of Flight itself
		auto request = Checked(flight::CancelFlightInfoRequest::Deserialize(body));
		auto outcome = request.info ? cancel_all(*request.info) : CancelOutcome::NOT_THERE;
		auto status = outcome == CancelOutcome::NOT_THERE   ? flight::CancelStatus::kNotCancellable
		              : outcome == CancelOutcome::CANCELLED ? flight::CancelStatus::kCancelled
		                                                    : flight::CancelStatus::kCancelling;
		return Checked(flight::CancelFlightInfoResult(status).SerializeToString());
	}
	if (action.type == "CloseSession") {
		// a message of Flight itself
		sessions->EndClient(caller.Client());
		return Checked(flight::CloseSessionResult(flight::CloseSessionStatus::kClosed).SerializeToString());
	}
	if (action.type == "SetSessionOptions" || action.type == "GetSessionOptions" ||
	    action.type == "RenewFlightEndpoint") {
		throw duckdb::NotImplementedException("The action %s is not supported", action.type);
	}
	auto request = flight_sql::Unpack(body);
	if (action.type == "CreatePreparedStatement") {
		return Prepare(caller, flight_sql::ReadStatementRequest(request.body));
	}
	if (action.type == "ClosePreparedStatement") {
		statements.ClosePrepared(flight_sql::ReadHandle(request.body));
		return "";
	}
	if (action.type == "BeginTransaction") {
		return flight_sql::Pack("ActionBeginTransactionResult",
		                        flight_sql::WriteHandle(sessions->BeginTransaction(caller.Client())));
	}
	if (action.type == "EndTransaction") {
		auto end = flight_sql::ReadEndTransactionRequest(request.body);
		if (end.action == flight_sql::EndOfTransaction::UNSPECIFIED) {
			throw InvalidInputException("A transaction ends with COMMIT or ROLLBACK");
		}
		sessions->EndTransaction(end.transaction, end.action == flight_sql::EndOfTransaction::COMMIT);
		return "";
	}
	if (action.type == "CancelQuery") {
		auto info = Checked(flight::FlightInfo::Deserialize(flight_sql::ReadHandle(request.body)));
		auto outcome = cancel_all(*info);
		return flight_sql::Pack("ActionCancelQueryResult",
		                        flight_sql::WriteUpdateResult(outcome == CancelOutcome::NOT_THERE   ? 3
		                                                      : outcome == CancelOutcome::CANCELLED ? 1
		                                                                                            : 2));
	}
	throw duckdb::NotImplementedException("The Flight SQL action %s is not supported", action.type);
}

arrow::Status FlightSql::DoAction(const Caller &caller, const flight::Action &action,
                                  std::unique_ptr<flight::ResultStream> *results) {
	return Answer([&] {
		auto answer = Act(caller, action);
		std::vector<flight::Result> list;
		if (!answer.empty()) {
			list.emplace_back();
			list[0].body = arrow::Buffer::FromString(std::move(answer));
		}
		*results = std::make_unique<flight::SimpleResultStream>(std::move(list));
	});
}

} // namespace duckherder
