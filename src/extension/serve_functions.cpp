#include "compat/functions.hpp"
#include "engine/describe_function.hpp"
#include "extension/functions.hpp"
#include "protocol/session_role.hpp"

#include "duckdb/function/table_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/parallel/async_result.hpp"
#include "duckdb/parser/parsed_data/create_table_function_info.hpp"

#include <atomic>
#include <chrono>
#include <future>

namespace duckherder {

using namespace duckdb;

namespace {

//! What a call does: begin a node, or end them all
enum class ServeAct : uint8_t { DRIVER, WORKER, STOP };

struct ServeInfo : public TableFunctionInfo {
	ServeInfo(std::shared_ptr<DatabaseState> database_p, ServeAct act_p) : database(std::move(database_p)), act(act_p) {
	}
	std::shared_ptr<DatabaseState> database;
	ServeAct act;
};

struct ServeBindData : public TableFunctionData {
	shared_ptr<TableFunctionInfo> info;
	NodeArguments arguments;

	const ServeInfo &Info() const {
		return info->Cast<ServeInfo>();
	}
};

//! One execution of a call: its work is done by a thread of its own, so that the session can be interrupted meanwhile.
class ServeCall {
public:
	ServeCall(ClientContext &context, const ServeBindData &data)
	    : nodes(std::async(std::launch::async, [this, &context, &data] { return Act(context, data); })) {
	}

	~ServeCall() {
		given_up = true;
		if (nodes.valid()) {
			nodes.wait();
		}
	}

	//! Whether it is done, within that time
	bool Wait(std::chrono::milliseconds time) {
		return nodes.wait_for(time) == std::future_status::ready;
	}

	//! Waits for what it says, once; throws what the work throws.
	std::vector<ServedNode> Get() {
		return nodes.get();
	}

private:
	std::vector<ServedNode> Act(ClientContext &context, const ServeBindData &data) {
		auto interrupted = [&] { return given_up || context.IsInterrupted(); };
		auto &info = data.Info();
		auto &local = *info.database->nodes;
		switch (info.act) {
		case ServeAct::DRIVER:
			return {local.ServeDriver(*context.db, *info.database, data.arguments)};
		case ServeAct::WORKER:
			return {local.ServeWorker(data.arguments, interrupted)};
		case ServeAct::STOP:
			return local.StopServing(interrupted);
		}
		throw InternalException("unknown act of a function that serves nodes");
	}

	//! The query has ended
	std::atomic<bool> given_up {false};
	//! The last one, as its thread uses the others
	std::future<std::vector<ServedNode>> nodes;
};

struct ServeState : public GlobalTableFunctionState {
	std::shared_ptr<ServeCall> call;
	std::vector<ServedNode> nodes;
	bool done = false;
	idx_t position = 0;
};

//! Waits between two rounds of DuckDB's executor, which in between looks for interrupts
class AwaitCallTask : public AsyncTask {
public:
	explicit AwaitCallTask(std::shared_ptr<ServeCall> call_p) : call(std::move(call_p)) {
	}
	void Execute() override {
		call->Wait(std::chrono::milliseconds(limits::WATCH_INTERVAL_MS));
	}

private:
	std::shared_ptr<ServeCall> call;
};

//! The values that the flag of a parameter would have; nothing for a switch that is off
std::vector<string> ValuesOf(const NodeParameter &parameter, const Value &value, const string &function) {
	if (value.IsNull()) {
		throw BinderException("%s: %s is NULL, leave it out instead", function, parameter.name);
	}
	switch (parameter.type) {
	case NodeParameter::Type::TEXT:
		return {value.ToString()};
	case NodeParameter::Type::SWITCH:
		return BooleanValue::Get(value) ? std::vector<string> {""} : std::vector<string>();
	case NodeParameter::Type::LIST:
		break;
	}
	std::vector<string> values;
	for (auto &entry : ListValue::GetChildren(value)) {
		if (entry.IsNull()) {
			throw BinderException("%s: %s has a NULL in its list", function, parameter.name);
		}
		values.push_back(entry.ToString());
	}
	return values;
}

LogicalType TypeOf(const NodeParameter &parameter) {
	switch (parameter.type) {
	case NodeParameter::Type::TEXT:
		return LogicalType::VARCHAR;
	case NodeParameter::Type::SWITCH:
		return LogicalType::BOOLEAN;
	case NodeParameter::Type::LIST:
		return LogicalType::LIST(LogicalType::VARCHAR);
	}
	throw InternalException("unknown type of a parameter");
}

NodeKind KindOf(ServeAct act) {
	return act == ServeAct::DRIVER ? NodeKind::DRIVER : NodeKind::WORKER;
}

unique_ptr<FunctionData> BindServe(ClientContext &context, TableFunctionBindInput &input, vector<LogicalType> &types,
                                   vector<Identifier> &names) {
	auto &function = FunctionName(input.table_function);
	SessionRole::Require(context, Role::NODE, "The function " + function);
	auto result = make_uniq<ServeBindData>();
	result->info = input.table_function.function_info;
	auto &info = result->Info();
	if (info.act == ServeAct::STOP) {
		names.emplace_back("node");
		types.push_back(LogicalType::VARCHAR);
	} else {
		for (auto &parameter : info.database->nodes->ParametersOf(KindOf(info.act))) {
			auto given = input.named_parameters.find(Identifier(parameter.name));
			if (given == input.named_parameters.end()) {
				continue;
			}
			auto values = ValuesOf(parameter, given->second, function);
			if (!values.empty()) {
				result->arguments[parameter.name] = std::move(values);
			}
		}
	}
	for (auto column : {"location", "http", "id"}) {
		names.emplace_back(column);
		types.push_back(LogicalType::VARCHAR);
	}
	return result;
}

unique_ptr<GlobalTableFunctionState> InitServe(ClientContext &context, TableFunctionInitInput &input) {
	// again, whoever has bound it
	SessionRole::Require(context, Role::NODE, "Serving nodes");
	auto result = make_uniq<ServeState>();
	result->call = std::make_shared<ServeCall>(context, input.bind_data->Cast<ServeBindData>());
	return result;
}

Value TextOrNull(const string &text) {
	return text.empty() ? Value(LogicalType::VARCHAR) : Value(text);
}

void AnswerServe(ClientContext &, TableFunctionInput &input, DataChunk &output) {
	auto &state = input.global_state->Cast<ServeState>();
	auto may_block = input.results_execution_mode == AsyncResultsExecutionMode::TASK_EXECUTOR;
	if (!state.done && may_block && !state.call->Wait(std::chrono::milliseconds(0))) {
		vector<unique_ptr<AsyncTask>> tasks;
		tasks.push_back(make_uniq<AwaitCallTask>(state.call));
		input.async_result = AsyncResult(std::move(tasks));
		return;
	}
	if (!state.done) {
		state.nodes = state.call->Get();
		state.done = true;
	}
	auto with_kind = input.bind_data->Cast<ServeBindData>().Info().act == ServeAct::STOP;
	idx_t rows = 0;
	for (; state.position < state.nodes.size() && rows < STANDARD_VECTOR_SIZE; state.position++, rows++) {
		auto &node = state.nodes[state.position];
		idx_t column = 0;
		if (with_kind) {
			output.SetValue(column++, rows, Value(node.kind == NodeKind::DRIVER ? "driver" : "worker"));
		}
		output.SetValue(column++, rows, Value(node.location));
		output.SetValue(column++, rows, TextOrNull(node.url));
		output.SetValue(column++, rows, TextOrNull(node.id));
	}
	output.SetChildCardinality(rows);
}

void Register(ExtensionLoader &loader, const string &name, const std::shared_ptr<DatabaseState> &database, ServeAct act,
              const string &description, const string &example) {
	TableFunction function(Identifier(name), {}, AnswerServe, BindServe, InitServe);
	function.function_info = make_shared_ptr<ServeInfo>(database, act);
	if (act != ServeAct::STOP) {
		for (auto &parameter : database->nodes->ParametersOf(KindOf(act))) {
			AddNamedArgument(function, parameter.name, TypeOf(parameter));
		}
	}
	CreateTableFunctionInfo info(std::move(function));
	info.descriptions.push_back(Describe({}, {}, description, example));
	loader.RegisterFunction(std::move(info));
}

} // namespace

void RegisterServeFunctions(ExtensionLoader &loader, const std::shared_ptr<DatabaseState> &database) {
	Register(loader, "duckherder_serve_driver", database, ServeAct::DRIVER,
	         "Makes this process a driver, which serves this database, and returns where it listens",
	         "CALL duckherder_serve_driver(listen := '127.0.0.1:8815')");
	Register(loader, "duckherder_serve_worker", database, ServeAct::WORKER,
	         "Makes this process a worker with a database of its own, and returns where it listens",
	         "CALL duckherder_serve_worker(driver := '127.0.0.1:8815', memory_limit := '4GB')");
	Register(loader, "duckherder_stop_serving", database, ServeAct::STOP,
	         "Ends the workers and the driver that this process serves, once nobody needs them any more",
	         "CALL duckherder_stop_serving()");
}

} // namespace duckherder
