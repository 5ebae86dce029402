#include "client/remote_query.hpp"

#include "compat/statements.hpp"
#include "engine/describe_function.hpp"
#include "client/remote_transaction.hpp"
#include "client/run_remote.hpp"
#include "protocol/session_role.hpp"

#include "duckdb/main/attached_database.hpp"
#include "duckdb/main/database_manager.hpp"
#include "duckdb/parser/parsed_data/create_table_function_info.hpp"
#include "duckdb/transaction/meta_transaction.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

RemoteCatalog &Find(ClientContext &context, const string &database) {
	auto &catalog = CatalogNamed(context, database);
	auto remote = RemoteCatalog::From(catalog);
	if (!remote) {
		throw BinderException("\"%s\" is not the database of a Duckherder driver", database);
	}
	return *remote;
}

struct RemoteQueryData : public TableFunctionData {
	RemoteQueryData(string database_p, string sql_p) : database(std::move(database_p)), sql(std::move(sql_p)) {
	}
	const string database;
	const string sql;
	vector<LogicalType> types;
};

struct RemoteQueryState : public GlobalTableFunctionState {
	RemoteQueryState(RemoteCatalog &catalog, ClientContext &context, const std::shared_ptr<ChunkSource> &source)
	    : rows(catalog.Server(), context, RemoteTransaction::Get(context, catalog).Session(), source),
	      reader(rows.OpenReader()) {
	}

	RemoteServer::Rows rows;
	const std::unique_ptr<ChunkReader> reader;
};

//! A client of a driver does not run statements at the drivers that this one has attached with a token of its own
void CheckCaller(ClientContext &context) {
	SessionRole::Require(context, Role::NODE, "A statement for another driver");
}

unique_ptr<FunctionData> BindQuery(ClientContext &context, TableFunctionBindInput &input, vector<LogicalType> &types,
                                   vector<Identifier> &names) {
	CheckCaller(context);
	auto data = make_uniq<RemoteQueryData>(input.inputs[0].ToString(), input.inputs[1].ToString());
	auto &catalog = Find(context, data->database);
	auto &transaction = RemoteTransaction::Get(context, catalog);
	transaction.Snapshot();
	auto shape = catalog.Server().service->Describe(transaction.Session(), data->sql);
	types = shape.types;
	names.clear();
	for (auto &name : shape.names) {
		names.emplace_back(name);
	}
	QueryResult::DeduplicateColumns(names);
	data->types = types;
	return data;
}

unique_ptr<GlobalTableFunctionState> StartQuery(ClientContext &context, TableFunctionInitInput &input) {
	CheckCaller(context);
	auto &data = input.bind_data->Cast<RemoteQueryData>();
	auto &catalog = Find(context, data.database);
	return make_uniq<RemoteQueryState>(catalog, context, RunRemoteText(context, catalog, data.sql, data.types));
}

void NextRows(ClientContext &, TableFunctionInput &input, DataChunk &output) {
	input.global_state->Cast<RemoteQueryState>().reader->Next(output);
}

struct ExecuteState : public GlobalTableFunctionState {
	bool done = false;
};

unique_ptr<FunctionData> BindExecute(ClientContext &context, TableFunctionBindInput &input, vector<LogicalType> &types,
                                     vector<Identifier> &names) {
	CheckCaller(context);
	auto data = make_uniq<RemoteQueryData>(input.inputs[0].ToString(), input.inputs[1].ToString());
	Find(context, data->database);
	types = {LogicalType::BOOLEAN};
	names = {"Success"};
	return data;
}

unique_ptr<GlobalTableFunctionState> StartExecute(ClientContext &, TableFunctionInitInput &) {
	return make_uniq<ExecuteState>();
}

void Execute(ClientContext &context, TableFunctionInput &input, DataChunk &) {
	auto &data = input.bind_data->Cast<RemoteQueryData>();
	auto &state = input.global_state->Cast<ExecuteState>();
	if (!state.done) {
		CheckCaller(context);
		state.done = true;
		auto &catalog = Find(context, data.database);
		RunRemoteSql(context, catalog, data.sql);
		RemoteTransaction::Get(context, catalog).ForgetSnapshot();
	}
}

//! A session that is ours for a moment
class ShortSession {
public:
	explicit ShortSession(RemoteServer &server_p) : server(server_p), session(server.TakeNew()) {
	}
	~ShortSession() {
		auto clean = true;
		try {
			server.service->Rollback(session.id);
		} catch (const std::exception &) {
			// closing it rolls back, or the end of its lease
			clean = false;
		}
		server.Give(std::move(session), clean);
	}

	const SessionId &Id() const {
		return session.id;
	}

private:
	RemoteServer &server;
	RemoteServer::Session session;
};

} // namespace

void CheckDriverDatabase(ClientContext &context, const string &database) {
	Find(context, database);
}

unique_ptr<ColumnDataCollection> FetchFromDriver(ClientContext &context, const string &database, const string &sql,
                                                 const vector<LogicalType> &types) {
	auto &server = Find(context, database).Server();
	auto fetched = make_uniq<ColumnDataCollection>(Allocator::Get(context), types);
	ShortSession session(server);
	auto statement = SessionStatement::OfText(session.Id(), sql);
	statement.buffered = true;
	RemoteServer::Rows rows(server, context, session.Id(), server.service->Run(statement, types, nullptr));
	rows.ForEach(types, [&](DataChunk &chunk) { fetched->Append(chunk); });
	return fetched;
}

void RegisterRemoteQueryFunctions(ExtensionLoader &loader) {
	auto text = LogicalType::VARCHAR;
	CreateTableFunctionInfo query(TableFunction("duckherder_query", {text, text}, NextRows, BindQuery, StartQuery));
	query.descriptions.push_back(Describe({text, text}, {"database", "sql"},
	                                      "The rows of one SQL statement that an attached driver runs",
	                                      "FROM duckherder_query('dh', 'FROM duckherder_workers()')"));
	loader.RegisterFunction(std::move(query));
	CreateTableFunctionInfo execute(
	    TableFunction("duckherder_execute", {text, text}, Execute, BindExecute, StartExecute));
	execute.descriptions.push_back(Describe({text, text}, {"database", "sql"},
	                                        "Has an attached driver run one SQL statement whose rows are not wanted",
	                                        "CALL duckherder_execute('dh', 'SET threads = 4')"));
	loader.RegisterFunction(std::move(execute));
}

} // namespace duckherder
