#include "compat/results.hpp"

#include "common/limits.hpp"

#include <chrono>
#include <thread>

namespace duckherder {

using namespace duckdb;

namespace {

void CheckCount(const SQLStatement &statement, const vector<Value> &parameters) {
	auto wanted = statement.named_param_map.size();
	if (wanted != parameters.size()) {
		throw InvalidInputException("The statement has %llu parameters, but %llu values came for them", idx_t(wanted),
		                            idx_t(parameters.size()));
	}
}

template <class VALUES>
VALUES ByName(const SQLStatement &statement, const vector<Value> &parameters) {
	VALUES values;
	for (auto &parameter : statement.named_param_map) {
		// the numbers begin at one
		values[parameter.first] = BoundParameterData(parameters.at(parameter.second - 1));
	}
	return values;
}

} // namespace

#if DUCKHERDER_DUCKDB_MAJOR < 2

namespace {

//! False if it was closed before its end
bool RunTasks(PendingQueryResult &pending, const std::function<bool()> &closed) {
	while (!closed()) {
		auto state = pending.ExecuteTask();
		if (state == PendingExecutionResult::EXECUTION_ERROR) {
			pending.ThrowError();
		}
		if (PendingQueryResult::IsResultReady(state)) {
			break;
		}
		if (state == PendingExecutionResult::BLOCKED) {
			pending.WaitForTask();
		} else if (state == PendingExecutionResult::NO_TASKS_AVAILABLE) {
			// others have them all
			std::this_thread::sleep_for(std::chrono::microseconds(limits::TASK_WAIT_US));
		}
	}
	return !closed();
}

} // namespace

void RunToEnd(Connection &connection, unique_ptr<SQLStatement> statement, const vector<Value> &parameters,
              const std::function<bool()> &closed) {
	CheckCount(*statement, parameters);
	unique_ptr<PendingQueryResult> pending;
	if (parameters.empty()) {
		pending = connection.PendingQuery(std::move(statement), false);
	} else {
		auto values = ByName<case_insensitive_map_t<BoundParameterData>>(*statement, parameters);
		pending = connection.PendingQuery(std::move(statement), values, false);
	}
	if (pending->HasError()) {
		pending->ThrowError();
	}
	if (!RunTasks(*pending, closed)) {
		pending->Close();
		return;
	}
	auto result = pending->Execute();
	if (result->HasError()) {
		result->ThrowError();
	}
}

#else

void RunToEnd(Connection &connection, unique_ptr<SQLStatement> statement, const vector<Value> &parameters,
              const std::function<bool()> &) {
	CheckCount(*statement, parameters);
	QueryParameters options;
	auto values = ByName<identifier_map_t<BoundParameterData>>(*statement, parameters);
	if (!parameters.empty()) {
		options.statement_args = values;
	}
	// A statement whose collector is not DuckDB's has ended when this returns: who gives it up interrupts it.
	auto result = connection.Submit(std::move(statement), options);
	result->ThrowIfError();
	result->Complete();
	result->ThrowIfError();
}

#endif

} // namespace duckherder
