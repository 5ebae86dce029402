#include "compat/functions.hpp"
#include "engine/describe_function.hpp"
#include "extension/functions.hpp"
#include "protocol/session_role.hpp"
#include "server/client_sessions.hpp"

#include "duckdb/function/table_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/parser/parsed_data/create_table_function_info.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

constexpr const char *PORT_PARAMETER = "port";
constexpr const char *ENDPOINT_PARAMETER = "endpoint";

struct PageInfo : public TableFunctionInfo {
	explicit PageInfo(std::shared_ptr<DatabaseState> database_p) : database(std::move(database_p)) {
	}
	std::shared_ptr<DatabaseState> database;
};

struct PageBindData : public TableFunctionData {
	shared_ptr<TableFunctionInfo> info;
	uint16_t port = 0;
	//! Of a collector of traces; empty: none
	string endpoint;

	DatabaseState &Database() const {
		return *info->Cast<PageInfo>().database;
	}
};

struct PageState : public GlobalTableFunctionState {
	bool done = false;
};

unique_ptr<FunctionData> BindPage(ClientContext &context, TableFunctionBindInput &input, vector<LogicalType> &types,
                                  vector<Identifier> &names) {
	SessionRole::Require(context, Role::NODE, "The function " + FunctionName(input.table_function));
	auto result = make_uniq<PageBindData>();
	result->info = input.table_function.function_info;
	auto port = input.named_parameters.find(PORT_PARAMETER);
	if (port != input.named_parameters.end()) {
		auto number = port->second.IsNull() ? -1 : port->second.GetValue<int64_t>();
		if (number < 0 || number > NumericLimits<uint16_t>::Maximum()) {
			throw BinderException("%s: the port %s is out of range, it can be 0 (a free one) to 65535",
			                      FunctionName(input.table_function), port->second.ToString());
		}
		result->port = static_cast<uint16_t>(number);
	}
	auto endpoint = input.named_parameters.find(ENDPOINT_PARAMETER);
	if (endpoint != input.named_parameters.end() && !endpoint->second.IsNull()) {
		result->endpoint = endpoint->second.ToString();
	}
	types.push_back(LogicalType::VARCHAR);
	names.emplace_back(FunctionName(input.table_function));
	return result;
}

unique_ptr<GlobalTableFunctionState> InitPage(ClientContext &context, TableFunctionInitInput &) {
	// again, whoever has bound it
	SessionRole::Require(context, Role::NODE, "Serving pages");
	return make_uniq<PageState>();
}

//! The one row of a function that does something once
template <class ACT>
void AnswerOnce(TableFunctionInput &input, DataChunk &output, ACT act) {
	auto &state = input.global_state->Cast<PageState>();
	if (state.done) {
		return;
	}
	state.done = true;
	output.SetValue(0, 0, Value(act(input.bind_data->Cast<PageBindData>())));
	output.SetChildCardinality(1);
}

void StartPages(ClientContext &context, TableFunctionInput &input, DataChunk &output) {
	AnswerOnce(input, output, [&](const PageBindData &data) {
		auto &database = data.Database();
		auto sessions = database.Sessions();
		if (!sessions) {
			sessions = std::make_shared<ClientSessions>(context.db->shared_from_this(), database.services.clock);
		}
		return database.nodes->StartPages(database, sessions, data.port);
	});
}

void StopPages(ClientContext &, TableFunctionInput &input, DataChunk &output) {
	AnswerOnce(input, output, [&](const PageBindData &data) {
		return data.Database().nodes->StopPages() ? "stopped" : "this process has no pages";
	});
}

void SendTraces(ClientContext &context, TableFunctionInput &input, DataChunk &output) {
	AnswerOnce(input, output, [&](const PageBindData &data) {
		data.Database().SendTraces(*context.db, data.endpoint);
		return data.endpoint.empty() ? string("traces are sent nowhere") : "traces are sent to " + data.endpoint;
	});
}

void Register(ExtensionLoader &loader, TableFunction function, const std::shared_ptr<DatabaseState> &database,
              const string &description, const string &example) {
	function.function_info = make_shared_ptr<PageInfo>(database);
	CreateTableFunctionInfo info(std::move(function));
	info.descriptions.push_back(Describe({}, {}, description, example));
	loader.RegisterFunction(std::move(info));
}

} // namespace

void RegisterPageFunctions(ExtensionLoader &loader, const std::shared_ptr<DatabaseState> &database) {
	TableFunction start("duckherder_start_ui", {}, StartPages, BindPage, InitPage);
	AddNamedArgument(start, PORT_PARAMETER, LogicalType::BIGINT);
	Register(loader, std::move(start), database, "Serves the web page of this process, and returns its URL",
	         "CALL duckherder_start_ui(port := 0)");
	TableFunction traces("duckherder_send_traces", {}, SendTraces, BindPage, InitPage);
	AddNamedArgument(traces, ENDPOINT_PARAMETER, LogicalType::VARCHAR);
	Register(loader, std::move(traces), database,
	         "Sends a trace of each query of this process to a collector by OTLP/HTTP; without an endpoint to none",
	         "CALL duckherder_send_traces(endpoint := 'http://127.0.0.1:4318')");
	Register(loader, TableFunction("duckherder_stop_ui", {}, StopPages, BindPage, InitPage), database,
	         "Ends the web page of this process", "CALL duckherder_stop_ui()");
}

} // namespace duckherder
