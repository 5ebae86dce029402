#include "client/run_remote.hpp"

#include "client/remote_transaction.hpp"
#include "engine/driver_names.hpp"
#include "engine/fragment.hpp"
#include "engine/result_settings.hpp"

#include "duckdb/common/enum_util.hpp"
#include "duckdb/main/client_context.hpp"
#include "duckdb/transaction/meta_transaction.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

SessionStatement NewStatement(ClientContext &context, RemoteCatalog &catalog, StatementKind kind, std::string body) {
	auto &transaction = RemoteTransaction::Get(context, catalog);
	// finds out whether the session is still there
	transaction.Snapshot();
	SessionStatement statement;
	statement.session = transaction.Session();
	statement.kind = kind;
	statement.body = std::move(body);
	statement.text = context.GetCurrentQuery();
	statement.writes = !transaction.IsReadOnly();
	if (kind == StatementKind::SQL) {
		transaction.MayHaveWritten();
	}
	statement.transaction_start_us = MetaTransaction::Get(context).start_timestamp.value;
	statement.settings = ResultSettingsOf(context);
	Value traceparent;
	if (context.TryGetCurrentSetting("duckherder_traceparent", traceparent) && !traceparent.IsNull()) {
		statement.traceparent = traceparent.ToString();
	}
	return statement;
}

void ReadToEnd(ClientContext &context, RemoteCatalog &catalog, SessionStatement statement,
               const vector<LogicalType> &types) {
	auto &server = catalog.Server();
	RemoteServer::Rows rows(server, context, statement.session, server.service->Run(statement, types, nullptr));
	rows.ForEach(types, [](DataChunk &) {});
}

} // namespace

std::string EncodeForDriver(ClientContext &context, const LogicalOperator &plan) {
	DriverNames names;
	return EncodeFragment(context, plan);
}

std::shared_ptr<ChunkSource> RunRemotePlan(ClientContext &context, RemoteCatalog &catalog, std::string plan,
                                           const vector<LogicalType> &types, const RemoteRun &run) {
	auto statement = NewStatement(context, catalog, StatementKind::PLAN, std::move(plan));
	statement.buffered = run.buffered;
	if (run.explain) {
		statement.explain_type = EnumUtil::ToString(run.explain->type);
		statement.explain_format = PlanFormatName(run.explain->format);
	}
	return catalog.Server().service->Run(statement, types, nullptr);
}

std::shared_ptr<ChunkSource> RunRemoteText(ClientContext &context, RemoteCatalog &catalog, const std::string &sql,
                                           const vector<LogicalType> &types) {
	auto statement = NewStatement(context, catalog, StatementKind::SQL, sql);
	statement.buffered = true;
	return catalog.Server().service->Run(statement, types, nullptr);
}

void RunRemoteSql(ClientContext &context, RemoteCatalog &catalog, const std::string &sql) {
	auto statement = NewStatement(context, catalog, StatementKind::SQL, sql);
	auto shape = catalog.Server().service->Describe(statement.session, sql);
	ReadToEnd(context, catalog, std::move(statement), shape.types);
}

void RunRemoteDefinition(ClientContext &context, RemoteCatalog &catalog, const std::string &definition) {
	ReadToEnd(context, catalog, NewStatement(context, catalog, StatementKind::DEFINITION, definition),
	          {LogicalType::BOOLEAN});
}

} // namespace duckherder
