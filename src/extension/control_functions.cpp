#include "compat/functions.hpp"
#include "engine/describe_function.hpp"
#include "engine/extension_versions.hpp"
#include "server/client_sessions.hpp"
#include "extension/functions.hpp"
#include "extension/settings.hpp"
#include "protocol/session_role.hpp"

#include "duckdb/execution/expression_executor.hpp"
#include "duckdb/function/scalar_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/main/extension_helper.hpp"
#include "duckdb/main/settings.hpp"
#include "duckdb/parser/parsed_data/create_scalar_function_info.hpp"
#include "duckdb/planner/expression/bound_function_expression.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

using Control = Value (*)(ClientContext &context, DatabaseState &database, const vector<Value> &arguments);

//! Carries the database's state and what to do into DuckDB's function call
struct ControlInfo : public ScalarFunctionInfo {
	ControlInfo(std::shared_ptr<DatabaseState> database_p, Control control_p, Role needed_p)
	    : database(std::move(database_p)), control(control_p), needed(needed_p) {
	}
	std::shared_ptr<DatabaseState> database;
	Control control;
	//! Of a client of the driver that calls it
	Role needed;
};

void CheckCaller(ClientContext &context, const BoundScalarFunction &function) {
	auto &info = function.GetExtraFunctionInfo().Cast<ControlInfo>();
	SessionRole::Require(context, info.needed, "The function " + FunctionName(function));
}

void RunControl(DataChunk &input, ExpressionState &state, Vector &result) {
	auto &function = state.expr.Cast<BoundFunctionExpression>().Function();
	auto &info = function.GetExtraFunctionInfo().Cast<ControlInfo>();
	// again, whoever has bound it
	CheckCaller(state.GetContext(), function);
	for (idx_t row = 0; row < input.size(); row++) {
		vector<Value> arguments;
		for (auto &column : input.data) {
			arguments.push_back(column.GetValue(row));
			if (arguments.back().IsNull()) {
				throw InvalidInputException("%s does not take NULL", FunctionName(function));
			}
		}
		result.SetValue(row, info.control(state.GetContext(), *info.database, arguments));
	}
	if (input.AllConstant()) {
		result.SetVectorType(VectorType::CONSTANT_VECTOR);
	}
}

uint16_t PortOf(const Value &value) {
	auto port = value.GetValue<int64_t>();
	if (port < 0 || port > 65535) {
		throw InvalidInputException("Port %d is out of range, it can be 0 (a free one) to 65535", port);
	}
	return static_cast<uint16_t>(port);
}

//! From the argument at that position, and the port behind it if there is one
NodeAddress AddressOf(const vector<Value> &arguments, idx_t position) {
	auto text = arguments[position].ToString();
	return position + 1 < arguments.size() ? JoinNodeAddress(text, PortOf(arguments[position + 1]))
	                                       : ParseNodeAddress(text);
}

Value StartLocalServer(ClientContext &context, DatabaseState &database, const vector<Value> &arguments) {
	auto workers = arguments.size() > 1 ? arguments[1].GetValue<int64_t>() : 0;
	if (workers < 0 || workers > limits::EMBEDDED_WORKERS_MAX) {
		throw InvalidInputException("%d workers are out of range, a local server can have 0 to %d", workers,
		                            limits::EMBEDDED_WORKERS_MAX);
	}
	auto sessions = std::make_shared<ClientSessions>(context.db->shared_from_this(), database.services.clock);
	database.SetSessions(sessions);
	auto location = database.nodes->StartServer(database.services.cluster, sessions, PortOf(arguments[0]),
	                                            static_cast<uint32_t>(workers));
	return Value("listening on " + location + " with " + to_string(workers) + " workers");
}

Value StopLocalServer(ClientContext &, DatabaseState &database, const vector<Value> &) {
	return Value(database.nodes->StopServer(*database.services.cluster) ? "stopped" : "no local server is running");
}

Value StartStandaloneWorker(ClientContext &, DatabaseState &database, const vector<Value> &arguments) {
	return Value("listening on " + database.nodes->StartStandaloneWorker(PortOf(arguments[0])));
}

Value RegisterWorker(ClientContext &context, DatabaseState &database, const vector<Value> &arguments) {
	auto id = arguments[0].ToString();
	auto worker = database.nodes->Probe(id, AddressOf(arguments, 1));
	CheckExtensions(LoadedExtensions(*context.db), worker);
	database.services.cluster->AddWorker(worker);
	return Value("registered " + id);
}

Value UnregisterWorker(ClientContext &, DatabaseState &database, const vector<Value> &arguments) {
	auto id = arguments[0].ToString();
	if (!database.services.cluster->RemoveWorker(id)) {
		throw InvalidInputException("There is no worker with the id '%s'; FROM duckherder_workers() lists them", id);
	}
	return Value("unregistered " + id);
}

Value ReplaceDriver(ClientContext &context, DatabaseState &database, const vector<Value> &arguments) {
	auto address = AddressOf(arguments, 0);
	database.Borrow(*context.db, address);
	NoteDriver(DBConfig::GetConfig(context), address.tls ? address.Location(false) : address.HostPort());
	return Value("using the workers of " + address.HostPort());
}

Value DrainWorker(ClientContext &, DatabaseState &database, const vector<Value> &arguments) {
	auto id = arguments[0].ToString();
	database.DrainWorker(id);
	return Value("draining " + id);
}

Value ForgetWorker(ClientContext &, DatabaseState &database, const vector<Value> &arguments) {
	auto id = arguments[0].ToString();
	database.ForgetWorker(id);
	return Value("forgot " + id);
}

Value WorkerCount(ClientContext &, DatabaseState &database, const vector<Value> &) {
	return Value::BIGINT(NumericCast<int64_t>(database.ActiveWorkers().size()));
}

Value KillQuery(ClientContext &, DatabaseState &database, const vector<Value> &arguments) {
	return Value::BOOLEAN(database.Kill(arguments[0].ToString()));
}

Value ClearRecorder(ClientContext &, DatabaseState &database, const vector<Value> &) {
	database.services.recorder->Clear();
	database.FlushHistory();
	return Value("cleared");
}

Value LoadExtension(ClientContext &context, DatabaseState &database, const vector<Value> &arguments) {
	auto name = arguments[0].ToString();
	if (!Settings::Get<EnableExternalAccessSetting>(context)) {
		throw PermissionException("This driver serves clients with roles, and so loads no extensions any more: LOAD "
		                          "\"%s\" in its --init file",
		                          name);
	}
	ExtensionHelper::LoadExternalExtension(context, name);
	auto extensions = LoadedExtensions(*context.db);
	auto workers = database.ActiveWorkers();
	for (auto &worker : workers) {
		auto service = database.services.connector->Connect(worker.address);
		service->LoadExtension(name);
		auto info = service->GetInfo();
		info.address = worker.address;
		CheckExtensions(extensions, info);
	}
	return Value("loaded " + name + " here and on " + to_string(workers.size()) + " workers");
}

//! A signature: its parameters, named
using Parameters = vector<pair<string, LogicalType>>;

class ControlRegistrar {
public:
	ControlRegistrar(ExtensionLoader &loader_p, std::shared_ptr<DatabaseState> database_p)
	    : loader(loader_p), database(std::move(database_p)) {
	}

	void Add(const string &name, const vector<Parameters> &signatures, Control control, Role needed,
	         const string &description, const LogicalType &return_type = LogicalType::VARCHAR) {
		ScalarFunctionSet set {Identifier(name)};
		vector<FunctionDescription> descriptions;
		for (auto &parameters : signatures) {
			vector<string> names;
			vector<LogicalType> types;
			for (auto &parameter : parameters) {
				names.push_back(parameter.first);
				types.push_back(parameter.second);
			}
			ScalarFunction function(Identifier(name), types, return_type, RunControl);
			// 2.0 takes an error of a function that is not said to fail for a fault of DuckDB: the database is lost.
			function.SetFallible();
			NameArguments(function, names);
			SetBindCheck<CheckCaller>(function);
			function.SetStability(FunctionStability::VOLATILE);
			function.SetNullHandling(FunctionNullHandling::SPECIAL_HANDLING);
			function.SetExtraFunctionInfo(make_shared_ptr<ControlInfo>(database, control, needed));
			set.AddFunction(function);
			descriptions.push_back(Describe(types, names, description, "SELECT " + name + "(…)"));
		}
		CreateScalarFunctionInfo info(std::move(set));
		info.descriptions = std::move(descriptions);
		loader.RegisterFunction(std::move(info));
	}

private:
	ExtensionLoader &loader;
	std::shared_ptr<DatabaseState> database;
};

} // namespace

void RegisterControlFunctions(ExtensionLoader &loader, const std::shared_ptr<DatabaseState> &database) {
	pair<string, LogicalType> port("port", LogicalType::BIGINT);
	pair<string, LogicalType> host("host", LogicalType::VARCHAR);
	pair<string, LogicalType> address("address", LogicalType::VARCHAR);
	pair<string, LogicalType> id("id", LogicalType::VARCHAR);
	ControlRegistrar registrar(loader, database);
	registrar.Add("duckherder_start_local_server", {{port}, {port, {"workers", LogicalType::BIGINT}}}, StartLocalServer,
	              Role::NODE, "Starts a driver with so many workers in this process; port 0 takes a free one");
	registrar.Add("duckherder_stop_local_server", {{}}, StopLocalServer, Role::NODE,
	              "Ends the driver of this process and its workers");
	registrar.Add("duckherder_start_standalone_worker", {{port}}, StartStandaloneWorker, Role::NODE,
	              "Starts a worker in this process that other sessions can register");
	registrar.Add("duckherder_register_worker", {{id, address}, {id, host, port}}, RegisterWorker, Role::NODE,
	              "Uses the worker at that address for the queries of this database");
	registrar.Add("duckherder_unregister_worker", {{id}}, UnregisterWorker, Role::ADMIN, "Uses that worker no longer");
	registrar.Add("duckherder_drain_worker", {{id}}, DrainWorker, Role::ADMIN,
	              "Lets that worker take no new tasks, and end once nobody needs it any more");
	registrar.Add("duckherder_forget_worker", {{id}}, ForgetWorker, Role::ADMIN,
	              "Takes a worker that is lost off the list");
	registrar.Add("duckherder_register_or_replace_driver", {{address}, {host, port}}, ReplaceDriver, Role::NODE,
	              "Uses the workers of the driver at that address instead of those of another one");
	registrar.Add("duckherder_get_worker_count", {{}}, WorkerCount, Role::ADMIN, "The number of active workers",
	              LogicalType::BIGINT);
	registrar.Add("duckherder_clear_query_recorder_stats", {{}}, ClearRecorder, Role::ADMIN,
	              "Forgets tasks, statistics and history of queries that have ended");
	registrar.Add("duckherder_kill", {{{"query_id", LogicalType::VARCHAR}}}, KillQuery, Role::ADMIN,
	              "Ends a distributed query of another connection; false if no such query runs", LogicalType::BOOLEAN);
	registrar.Add("duckherder_load_extension", {{{"name", LogicalType::VARCHAR}}}, LoadExtension, Role::ADMIN,
	              "Loads a DuckDB extension here and on every active worker");
}

} // namespace duckherder
