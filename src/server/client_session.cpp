#include "server/client_session.hpp"

#include "compat/operators.hpp"
#include "compat/statements.hpp"
#include "wire/catalog_items.hpp"
#include "engine/exchange_scan.hpp"
#include "engine/fragment.hpp"
#include "engine/plan_statement.hpp"
#include "engine/result_settings.hpp"
#include "common/limits.hpp"
#include "server/check_plan.hpp"
#include "server/check_statement.hpp"
#include "server/expand_views.hpp"
#include "server/list_catalog.hpp"
#include "server/statement_result.hpp"
#include "engine/internal_query.hpp"
#include "protocol/session_role.hpp"

#include "duckdb/catalog/catalog_entry/schema_catalog_entry.hpp"
#include "duckdb/common/enum_util.hpp"
#include "duckdb/main/client_data.hpp"
#include "duckdb/parser/keyword_helper.hpp"
#include "duckdb/parser/parsed_data/create_index_info.hpp"
#include "duckdb/parser/statement/alter_statement.hpp"
#include "duckdb/parser/statement/create_statement.hpp"
#include "duckdb/parser/statement/drop_statement.hpp"
#include "duckdb/parser/statement/multi_statement.hpp"
#include "duckdb/parser/tableref/column_data_ref.hpp"
#include "duckdb/planner/operator/logical_column_data_get.hpp"
#include "duckdb/planner/planner.hpp"
#include "duckdb/transaction/meta_transaction.hpp"

namespace duckherder {

using namespace duckdb;

class ClientSession::Use {
public:
	explicit Use(ClientSession &session_p) : session(&session_p) {
		std::unique_lock<std::mutex> guard(session->lock);
		auto time = std::chrono::milliseconds(limits::SESSION_BUSY_WAIT_MS);
		if (!session->freed.wait_for(guard, time, [&] { return !session->busy; })) {
			session = nullptr;
			throw InvalidInputException("The session at the driver still runs another statement");
		}
		session->busy = true;
	}

	~Use() {
		if (session) {
			session->Release();
		}
	}

	//! Somebody else calls Release
	void Pass() {
		session = nullptr;
	}

private:
	ClientSession *session;
};

class ClientSession::Upload : public ChunkSink {
public:
	Upload(std::shared_ptr<ClientSession> session_p, uint32_t number_p, const vector<LogicalType> &types)
	    : session(std::move(session_p)), number(number_p),
	      rows(make_shared_ptr<ColumnDataCollection>(BufferManager::GetBufferManager(*session->connection.context),
	                                                 types)) {
		rows->InitializeAppend(append);
	}

	void Append(DataChunk &chunk) override {
		rows->Append(append, chunk);
	}

	void Finish() override {
		append.current_chunk_state.handles.clear();
		std::lock_guard<std::mutex> guard(session->lock);
		session->uploads[number] = rows;
	}

private:
	std::shared_ptr<ClientSession> session;
	const uint32_t number;
	Rows rows;
	ColumnDataAppendState append;
};

ClientSession::ClientSession(DatabaseInstance &instance, std::string database_p, bool read_only_p, Role role_p)
    : database(std::move(database_p)), read_only(read_only_p), role(role_p), connection(instance),
      earlier(connection.context->registered_state->GetOrCreate<EarlierChanges>(EarlierChanges::NAME)) {
	SessionRole::Install(*connection.context, role);
	// it is shown by the client
	auto &config = ClientConfig::GetConfig(*connection.context);
	config.enable_progress_bar = true;
	config.print_progress_bar = false;
	Execute("USE " + KeywordHelper::WriteOptionallyQuoted(database));
}

ClientSession::~ClientSession() {
	auto &transaction = connection.context->transaction;
	if (!transaction.HasActiveTransaction()) {
		return;
	}
	try {
		transaction.Rollback(nullptr);
	} catch (
	    ...) { // NOLINT: a database that ended after a fatal error; the connection's own destructor would end us too
	}
}

void ClientSession::Execute(const std::string &sql) {
	auto result = connection.Query(sql);
	if (result->HasError()) {
		result->ThrowError();
	}
}

void ClientSession::Release() {
	std::lock_guard<std::mutex> guard(lock);
	busy = false;
	freed.notify_one();
}

bool ClientSession::Busy() {
	std::lock_guard<std::mutex> guard(lock);
	return busy;
}

SessionDescription ClientSession::Describe() {
	auto result = description;
	result.read_only = read_only;
	std::lock_guard<std::mutex> guard(lock);
	result.running = busy;
	result.transaction_us = transaction_us;
	result.statement = last_statement;
	return result;
}

void ClientSession::NameHolders(ErrorData &error) const {
	if (error.Type() != ExceptionType::TRANSACTION || !other_transactions) {
		return;
	}
	auto others = other_transactions();
	if (!others.empty()) {
		error = ErrorData(error.Type(), error.RawMessage() + "\nOther sessions have transactions open: " + others);
	}
}

double ClientSession::Progress() {
	return executing ? connection.context->GetQueryProgress().GetPercentage() : -1;
}

void ClientSession::Interrupt() {
	connection.Interrupt();
}

void ClientSession::EnsureTransaction(int64_t start_us) {
	auto &context = *connection.context;
	if (!context.transaction.HasActiveTransaction()) {
		Execute(read_only ? "BEGIN TRANSACTION READ ONLY" : "BEGIN TRANSACTION");
		if (start_us != 0) {
			// now() is the client's
			MetaTransaction::Get(context).start_timestamp = timestamp_t(start_us);
		}
		changed = false;
		std::lock_guard<std::mutex> guard(lock);
		transaction_us = Timestamp::GetEpochMicroSeconds(Timestamp::GetCurrentTimestamp());
	}
}

void ClientSession::EndTransaction(const char *sql) {
	if (!connection.context->transaction.HasActiveTransaction()) {
		return;
	}
	auto result = connection.Query(sql);
	{
		std::lock_guard<std::mutex> guard(lock);
		transaction_us = 0;
	}
	if (result->HasError()) {
		auto &error = result->GetErrorObject();
		NameHolders(error);
		error.Throw();
	}
}

void ClientSession::ApplySettings(const SessionStatement &statement) {
	std::set<std::string> names;
	for (auto &setting : statement.settings) {
		names.insert(setting.first);
	}
	for (auto &name : settings) {
		if (names.count(name) == 0) {
			Execute("RESET SESSION " + KeywordHelper::WriteOptionallyQuoted(name));
		}
	}
	settings = std::move(names);
	ApplyResultSettings(connection, statement.settings, "this driver");
}

void ClientSession::ApplyTraceparent(const std::string &wanted) {
	if (wanted == traceparent) {
		return;
	}
	Execute("SET SESSION duckherder_traceparent = " + KeywordHelper::WriteQuoted(wanted, '\''));
	traceparent = wanted;
}

CatalogListing ClientSession::ListCatalog(bool knows, uint64_t known_version) {
	Use use(*this);
	EnsureTransaction(0);
	CatalogListing listing;
	auto &context = *connection.context;
	context.RunFunctionInTransaction(
	    [&] { listing = duckherder::ListCatalog(context, database, knows, known_version); }, false);
	return listing;
}

std::vector<TableEstimate> ClientSession::EstimateRows() {
	Use use(*this);
	EnsureTransaction(0);
	std::vector<TableEstimate> estimates;
	auto &context = *connection.context;
	context.RunFunctionInTransaction([&] { estimates = duckherder::EstimateRows(context, database); }, false);
	return estimates;
}

ResultShape ClientSession::Describe(const std::string &sql, const vector<Value> &parameters) {
	Use use(*this);
	EnsureTransaction(0);
	// it will not run: there is nothing to distribute, and nothing for the statistics
	InternalQuery internal;
	auto prepared = connection.Prepare(ParseText(sql));
	if (prepared->HasError()) {
		prepared->GetErrorObject().Throw();
	}
	ResultShape shape;
	shape.names = NameTexts(prepared->GetNames());
	shape.types = prepared->GetTypes();
	auto returned = prepared->GetStatementProperties().return_type;
	if (returned != StatementReturnType::QUERY_RESULT) {
		shape.answer =
		    returned == StatementReturnType::CHANGED_ROWS ? StatementAnswer::COUNT : StatementAnswer::NOTHING;
	}
	auto types = prepared->GetExpectedParameterTypes();
	auto &numbers = ParametersOf(*prepared);
	shape.parameter_names.resize(numbers.size());
	shape.parameter_types.resize(numbers.size());
	for (auto &parameter : numbers) {
		// the numbers begin at one
		auto &name = NameText(parameter.first);
		shape.parameter_names.at(parameter.second - 1) = name;
		auto type = types.find(name);
		shape.parameter_types.at(parameter.second - 1) =
		    type == types.end() ? LogicalType(LogicalTypeId::UNKNOWN) : type->second;
	}
	if (!parameters.empty() && parameters.size() == shape.parameter_names.size()) {
		auto &context = *connection.context;
		auto statements = connection.ExtractStatements(sql);
		Planner planner(context);
		for (idx_t i = 0; i < parameters.size(); i++) {
			planner.parameter_data[Identifier(shape.parameter_names[i])] = BoundParameterData(parameters[i]);
		}
		context.RunFunctionInTransaction([&] { planner.CreatePlan(std::move(statements.at(0))); }, false);
		shape.names = NameTexts(planner.names);
		shape.types = planner.types;
	}
	return shape;
}

namespace {

unique_ptr<SQLStatement> StatementFor(unique_ptr<ParseInfo> definition) {
	switch (definition->info_type) {
	case ParseInfoType::CREATE_INFO: {
		auto statement = make_uniq<CreateStatement>();
		statement->info = unique_ptr_cast<ParseInfo, CreateInfo>(std::move(definition));
		if (statement->info->type == CatalogType::INDEX_ENTRY) {
			// only one of its two lists travels
			auto &index = statement->info->Cast<CreateIndexInfo>();
			for (auto &expression : index.parsed_expressions) {
				index.expressions.push_back(expression->Copy());
			}
		}
		return statement;
	}
	case ParseInfoType::ALTER_INFO: {
		auto statement = make_uniq<AlterStatement>();
		statement->info = unique_ptr_cast<ParseInfo, AlterInfo>(std::move(definition));
		return statement;
	}
	case ParseInfoType::DROP_INFO: {
		auto statement = make_uniq<DropStatement>();
		statement->info = unique_ptr_cast<ParseInfo, DropInfo>(std::move(definition));
		return statement;
	}
	default:
		throw InvalidInputException("Only CREATE, ALTER and DROP are definitions");
	}
}

} // namespace

ClientSession::Rows ClientSession::TakeUpload(uint32_t number) {
	std::lock_guard<std::mutex> guard(lock);
	auto entry = uploads.find(number);
	if (entry == uploads.end()) {
		throw InvalidInputException("The statement reads rows that were not sent before it");
	}
	auto rows = std::move(entry->second);
	uploads.erase(entry);
	return rows;
}

void ClientSession::ReplaceSource(SQLStatement &statement, uint32_t upload) {
	if (statement.type != StatementType::INSERT_STATEMENT) {
		throw InvalidInputException("Only an INSERT takes rows that were sent before it");
	}
	auto &select = *NodeOf(statement.Cast<InsertStatement>()).select_statement;
	if (select.node->type != QueryNodeType::SELECT_NODE) {
		throw InvalidInputException("An INSERT of rows that were sent before it has one source");
	}
	optionally_owned_ptr<ColumnDataCollection> rows(TakeUpload(upload));
	auto source = make_uniq<ColumnDataRef>(std::move(rows));
	source->alias = "rows";
	select.node->Cast<SelectNode>().from_table = std::move(source);
}

void ClientSession::InsertUploads(unique_ptr<LogicalOperator> &plan) {
	for (auto &child : plan->children) {
		InsertUploads(child);
	}
	auto scan = dynamic_cast<LogicalExchangeScan *>(plan.get());
	if (!scan) {
		return;
	}
	auto rows = TakeUpload(scan->source.stage);
	if (rows->Types() != scan->return_types || scan->bindings.empty()) {
		throw InvalidInputException("The plan reads other rows than were sent before it");
	}
	// one table index, columns in order: what the sender's scans have
	auto table_index = scan->bindings[0].table_index;
	for (idx_t i = 0; i < scan->bindings.size(); i++) {
		if (scan->bindings[i] != ColumnBinding(table_index, ProjectionIndex(i))) {
			throw InvalidInputException("The plan reads rows that were sent before it under more than one name");
		}
	}
	auto get = make_uniq<LogicalColumnDataGet>(table_index, rows->Types(), std::move(rows));
	get->ResolveOperatorTypes();
	plan = std::move(get);
}

void ClientSession::MarkModified(const std::set<std::string> &databases) {
	auto &context = *connection.context;
	for (auto &name : databases) {
		auto attached = DatabaseNamed(context, name);
		if (!attached) {
			throw CatalogException("The driver has no database \"%s\" any more", name);
		}
		if (read_only && !attached->IsTemporary()) {
			throw PermissionException("This session may only read: it was attached READ_ONLY, or its token has the "
			                          "role 'read'");
		}
		DatabaseModificationType modification;
		for (auto type : {DatabaseModificationType::INSERT_DATA, DatabaseModificationType::DELETE_DATA,
		                  DatabaseModificationType::UPDATE_DATA, DatabaseModificationType::SEQUENCE,
		                  DatabaseModificationType::CREATE_CATALOG_ENTRY}) {
			modification |= type;
		}
		MetaTransaction::Get(context).ModifyDatabase(*attached, modification);
	}
}

vector<unique_ptr<SQLStatement>> ClientSession::Parse(const std::string &sql) {
	if (role >= Role::ADMIN) {
		return connection.ExtractStatements(sql);
	}
	// DuckDB's own ExtractStatements runs pragmas, some of which read files
	try {
		auto parser = ParserFor(*connection.context);
		parser.ParseQuery(sql);
		vector<unique_ptr<SQLStatement>> statements;
		for (auto &statement : parser.statements) {
			if (statement->type != StatementType::MULTI_STATEMENT) {
				statements.push_back(std::move(statement));
				continue;
			}
			// one that the parser makes several of, such as a PIVOT that looks for its columns
			for (auto &part : statement->Cast<MultiStatement>().statements) {
				statements.push_back(std::move(part));
			}
		}
		return statements;
	} catch (const std::exception &error) {
		ErrorData data(error);
		data.AddErrorLocation(sql);
		data.Throw();
	}
}

void ClientSession::Check(SQLStatement &statement) {
	auto &context = *connection.context;
	context.RunFunctionInTransaction([&] { CheckStatement(context, statement, role); }, false);
}

unique_ptr<SQLStatement> ClientSession::ParseText(const std::string &sql) {
	auto statements = Parse(sql);
	if (statements.empty()) {
		throw InvalidInputException("There is no SQL statement in the text: it is empty, or only a comment");
	}
	if (statements.size() != 1) {
		throw InvalidInputException("One SQL statement is needed, not %llu", idx_t(statements.size()));
	}
	if (statements[0]->type == StatementType::TRANSACTION_STATEMENT) {
		throw InvalidInputException("The transaction here is that of the client: BEGIN, COMMIT and ROLLBACK belong "
		                            "there");
	}
	Check(*statements[0]);
	return std::move(statements[0]);
}

unique_ptr<LogicalOperator> ClientSession::DecodePlan(const SessionStatement &statement) {
	auto &context = *connection.context;
	auto plan = DecodeFragment(context, statement.body,
	                           [this](const std::string &name, bool bound) { CheckSentFunction(name, bound, role); });
	CheckSentPlan(context, *plan, role);
	auto written = DatabasesWrittenBy(context, *plan);
	if (statement.writes) {
		written.insert(database);
	}
	MarkModified(written);
	changed = changed || !written.empty();
	ExpandViews(context, plan);
	LookUpDeletedRows(*plan);
	InsertUploads(plan);
	plan->ResolveOperatorTypes();
	return plan;
}

unique_ptr<SQLStatement> ClientSession::Prepare(const SessionStatement &statement) {
	if (statement.kind == StatementKind::DEFINITION) {
		auto result = StatementFor(DecodeDefinition(statement.body));
		Check(*result);
		result->query = statement.text;
		return result;
	}
	if (statement.kind == StatementKind::SQL) {
		auto parsed = ParseText(statement.body);
		if (statement.upload) {
			ReplaceSource(*parsed, *statement.upload);
		}
		return parsed;
	}
	unique_ptr<LogicalOperator> plan;
	connection.context->RunFunctionInTransaction([&] { plan = DecodePlan(statement); }, false);
	auto result = make_uniq<PlanStatement>(std::move(plan), statement.text);
	if (statement.explain_type.empty()) {
		return result;
	}
	auto type = EnumUtil::FromString<ExplainType>(statement.explain_type);
	auto format = PlanFormatNamed(statement.explain_format);
	auto explain = make_uniq<ExplainStatement>(std::move(result), type, format);
	explain->query = statement.text;
	return explain;
}

void ClientSession::LookEverywhere(bool everywhere) {
	auto &context = *connection.context;
	auto &path = *ClientData::Get(context).catalog_search_path;
	if (own_search_path) {
		path.Set(*own_search_path, CatalogSetPathType::SET_DIRECTLY);
		own_search_path.reset();
	}
	if (!everywhere) {
		return;
	}
	own_search_path = path.GetSetPaths();
	auto wide = *own_search_path;
	wide.emplace_back(Identifier(database), DEFAULT_SCHEMA);
	context.RunFunctionInTransaction(
	    [&] {
		    for (auto &schema : CatalogNamed(context, database).GetSchemas(context)) {
			    wide.emplace_back(Identifier(database), schema.get().name);
		    }
	    },
	    false);
	path.Set(std::move(wide), CatalogSetPathType::SET_DIRECTLY);
}

std::shared_ptr<ChunkSource> ClientSession::Run(const SessionStatement &statement, const vector<LogicalType> &types,
                                                GoneCheck gone) {
	Use use(*this);
	EnsureTransaction(statement.transaction_start_us);
	ApplySettings(statement);
	ApplyTraceparent(statement.traceparent);
	earlier->any = changed;
	// of a plan it is found out when it is decoded
	changed = changed || statement.kind != StatementKind::PLAN;
	{
		std::lock_guard<std::mutex> guard(lock);
		last_statement = statement.text;
	}
	auto definition = statement.kind == StatementKind::DEFINITION;
	LookEverywhere(definition);
	auto prepared = Prepare(statement);
	use.Pass();
	auto self = shared_from_this();
	auto on_change = [self](bool started) {
		self->executing = started;
		if (!started) {
			self->Release();
		}
	};
	auto on_error = [self](ErrorData &error) { self->NameHolders(error); };
	return RunStatement(connection, std::move(prepared), statement.parameters, types, statement.buffered,
	                    statement.encoded, definition, std::move(gone), std::move(on_change), std::move(on_error));
}

std::unique_ptr<ChunkSink> ClientSession::OpenUpload(uint32_t number, const vector<LogicalType> &types) {
	if (number >= limits::UPLOADS_MAX) {
		throw InvalidInputException("A plan reads at most %d results of its sender", limits::UPLOADS_MAX);
	}
	return std::make_unique<Upload>(shared_from_this(), number, types);
}

void ClientSession::Commit() {
	Use use(*this);
	EndTransaction("COMMIT");
}

void ClientSession::Rollback() {
	if (Busy()) {
		// its client has given it up, and may not have been able to say so in the call that it waited for
		Interrupt();
	}
	Use use(*this);
	{
		std::lock_guard<std::mutex> guard(lock);
		uploads.clear();
	}
	EndTransaction("ROLLBACK");
}

} // namespace duckherder
