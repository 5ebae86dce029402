#include "compat/functions.hpp"
#include "engine/describe_function.hpp"
#include "client/remote_query.hpp"
#include "extension/functions.hpp"
#include "history/query_summary.hpp"
#include "protocol/session_role.hpp"

#include "duckdb/function/table_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/parser/parsed_data/create_table_function_info.hpp"

namespace duckherder {

using namespace duckdb;

namespace {

using Rows = vector<vector<Value>>;

//! A view: its columns, and its rows at the time of the call
struct View {
	const char *name;
	const char *description;
	vector<pair<string, LogicalType>> columns;
	Rows (*rows)(DatabaseState &database);
	//! Of a client of the driver that asks; other people's statements are for administrators
	Role needed = Role::ADMIN;
};

struct ViewInfo : public TableFunctionInfo {
	ViewInfo(std::shared_ptr<DatabaseState> database_p, View view_p)
	    : database(std::move(database_p)), view(std::move(view_p)) {
	}
	std::shared_ptr<DatabaseState> database;
	View view;
};

struct ViewBindData : public TableFunctionData {
	shared_ptr<TableFunctionInfo> info;
	//! Whose view it is: that of an attached driver; empty: our own
	string driver;
};

struct ViewState : public GlobalTableFunctionState {
	//! Those of an attached driver, if they are not our own
	unique_ptr<ColumnDataCollection> fetched;
	ColumnDataScanState scan;
	Rows rows;
	idx_t next = 0;
};

constexpr const char *DRIVER_PARAMETER = "database";

void CheckCaller(ClientContext &context, const View &view, bool asks_other_driver) {
	// another driver is asked with this one's own token
	auto needed = asks_other_driver ? Role::NODE : view.needed;
	SessionRole::Require(context, needed, string("The function ") + view.name);
}

unique_ptr<FunctionData> BindView(ClientContext &context, TableFunctionBindInput &input, vector<LogicalType> &types,
                                  vector<Identifier> &names) {
	auto &view = input.info->Cast<ViewInfo>().view;
	for (auto &column : view.columns) {
		names.emplace_back(column.first);
		types.push_back(column.second);
	}
	auto result = make_uniq<ViewBindData>();
	result->info = input.table_function.function_info;
	auto driver = input.named_parameters.find(DRIVER_PARAMETER);
	CheckCaller(context, view, driver != input.named_parameters.end());
	if (driver != input.named_parameters.end()) {
		if (driver->second.IsNull()) {
			throw BinderException("%s: %s is the name of an attached database of a driver, not NULL", view.name,
			                      DRIVER_PARAMETER);
		}
		result->driver = StringValue::Get(driver->second);
		CheckDriverDatabase(context, result->driver);
	}
	return result;
}

unique_ptr<GlobalTableFunctionState> InitView(ClientContext &context, TableFunctionInitInput &input) {
	auto &data = input.bind_data->Cast<ViewBindData>();
	auto &info = data.info->Cast<ViewInfo>();
	auto result = make_uniq<ViewState>();
	CheckCaller(context, info.view, !data.driver.empty());
	if (data.driver.empty()) {
		result->rows = info.view.rows(*info.database);
		return result;
	}
	vector<LogicalType> types;
	for (auto &column : info.view.columns) {
		types.push_back(column.second);
	}
	result->fetched = FetchFromDriver(context, data.driver, string("FROM ") + info.view.name + "()", types);
	result->fetched->InitializeScan(result->scan);
	return result;
}

void ScanView(ClientContext &, TableFunctionInput &input, DataChunk &output) {
	auto &state = input.global_state->Cast<ViewState>();
	if (state.fetched) {
		state.fetched->Scan(state.scan, output);
		return;
	}
	idx_t count = 0;
	for (; state.next < state.rows.size() && count < STANDARD_VECTOR_SIZE; state.next++, count++) {
		for (idx_t column = 0; column < output.ColumnCount(); column++) {
			output.SetValue(column, count, state.rows[state.next][column]);
		}
	}
	output.SetChildCardinality(count);
}

Value Number(uint64_t value) {
	return Value::BIGINT(NumericCast<int64_t>(value));
}

Value TextOrNull(const std::string &text) {
	return text.empty() ? Value(LogicalType::VARCHAR) : Value(text);
}

Value Milliseconds(uint64_t us) {
	return Value::DOUBLE(static_cast<double>(us) / 1000);
}

View WorkersView() {
	auto text = LogicalType::VARCHAR;
	auto number = LogicalType::BIGINT;
	return {"duckherder_workers",
	        "The workers that this database knows",
	        {{"id", text},
	         {"location", text},
	         {"state", text},
	         {"threads", number},
	         {"memory_limit", number},
	         {"memory_used", number},
	         {"running_tasks", number},
	         {"kept_queries", number},
	         {"kept_bytes", number},
	         {"temporary_bytes", number},
	         {"last_heartbeat_ms", number},
	         {"duckdb_version", text}},
	        [](DatabaseState &database) {
		        Rows rows;
		        for (auto &worker : database.AskWorkers()) {
			        rows.push_back({Value(worker.address.id), Value(worker.address.location),
			                        Value(WorkerStateName(worker.state)), Number(worker.threads),
			                        Number(worker.memory_limit_bytes), Number(worker.memory_used_bytes),
			                        Number(worker.running_tasks), Number(worker.leased_queries),
			                        Number(worker.kept_bytes), Number(worker.temporary_bytes),
			                        Number(worker.heartbeat_age_ms), Value(worker.duckdb_version)});
		        }
		        return rows;
	        },
	        Role::READ};
}

void AddTaskRow(Rows &rows, const QueryRecord &query, const TaskHistory &record) {
	auto &task = record.task;
	auto rows_known = [&](uint64_t row) { return task.has_rows ? Number(row) : Value(LogicalType::BIGINT); };
	rows.push_back({Value(query.query_id), Number(record.stage_id), Number(task.task_id), Number(task.total_tasks),
	                TextOrNull(record.worker_id), Number(record.attempt), Value(record.state),
	                rows_known(task.row_start), rows_known(task.row_end), rows_known(task.row_group_start),
	                rows_known(task.row_group_end), Number(record.rows), Number(record.bytes),
	                Milliseconds(record.duration_us), TextOrNull(task.task_sql), Value::BOOLEAN(record.speculative)});
}

View TasksView() {
	auto text = LogicalType::VARCHAR;
	auto number = LogicalType::BIGINT;
	return {"duckherder_tasks",
	        "The tasks of the last queries, running ones included",
	        {{"query_id", text},
	         {"stage_id", number},
	         {"task_id", number},
	         {"total_tasks", number},
	         {"worker_id", text},
	         {"attempt", number},
	         {"state", text},
	         {"row_start", number},
	         {"row_end", number},
	         {"row_group_start", number},
	         {"row_group_end", number},
	         {"rows", number},
	         {"bytes", number},
	         {"duration_ms", LogicalType::DOUBLE},
	         {"task_sql", text},
	         {"speculative", LogicalType::BOOLEAN}},
	        [](DatabaseState &database) {
		        Rows rows;
		        for (auto &query : database.services.recorder->Snapshot()) {
			        for (auto &task : query.tasks) {
				        AddTaskRow(rows, query, task);
			        }
		        }
		        return rows;
	        }};
}

View StatisticsView() {
	auto text = LogicalType::VARCHAR;
	auto number = LogicalType::BIGINT;
	return {"duckherder_get_query_execution_stats",
	        "How the last queries were executed, one row each",
	        {{"query_id", text},
	         {"sql", text},
	         {"execution_mode", text},
	         {"local_reason", text},
	         {"partition_strategy", text},
	         {"merge_strategy", text},
	         {"num_stages", number},
	         {"num_tasks_generated", number},
	         {"num_workers_used", number},
	         {"retries", number},
	         {"bytes_exchanged", number},
	         {"query_duration_ms", LogicalType::DOUBLE},
	         {"execution_start_time", LogicalType::TIMESTAMP}},
	        [](DatabaseState &database) {
		        Rows rows;
		        for (auto &query : database.services.recorder->Snapshot()) {
			        rows.push_back({Value(query.query_id), Value(query.sql), Value(ExecutionModeName(query.mode)),
			                        TextOrNull(query.local_reason), TextOrNull(query.partition_strategy),
			                        TextOrNull(query.merge_strategy), Number(query.num_stages),
			                        Number(query.tasks.size()), Number(query.num_workers_used), Number(query.retries),
			                        Number(query.bytes_exchanged), Milliseconds(query.duration_us),
			                        Value::TIMESTAMP(timestamp_t(query.start_time_us))});
		        }
		        return rows;
	        }};
}

View HistoryView() {
	auto text = LogicalType::VARCHAR;
	return {"duckherder_get_query_history",
	        "The last queries and how they ended",
	        {{"query_id", text},
	         {"sql", text},
	         {"state", text},
	         {"execution_mode", text},
	         {"query_duration_ms", LogicalType::DOUBLE},
	         {"execution_start_time", LogicalType::TIMESTAMP},
	         {"error", text}},
	        [](DatabaseState &database) {
		        Rows rows;
		        for (auto &query : database.services.recorder->Snapshot()) {
			        rows.push_back({Value(query.query_id), Value(query.sql), Value(query.state),
			                        Value(ExecutionModeName(query.mode)), Milliseconds(query.duration_us),
			                        Value::TIMESTAMP(timestamp_t(query.start_time_us)), TextOrNull(query.error)});
		        }
		        return rows;
	        }};
}

View QueriesView() {
	auto text = LogicalType::VARCHAR;
	auto number = LogicalType::BIGINT;
	return {"duckherder_queries",
	        "The last queries, those included that sessions have reported which borrow this driver's workers",
	        {{"query_id", text},
	         {"session", text},
	         {"state", text},
	         {"execution_mode", text},
	         {"execution_start_time", LogicalType::TIMESTAMP},
	         {"query_duration_ms", LogicalType::DOUBLE},
	         {"num_stages", number},
	         {"tasks", number},
	         {"tasks_done", number},
	         {"tasks_running", number},
	         {"num_workers_used", number},
	         {"retries", number},
	         {"bytes_exchanged", number},
	         {"spilled_bytes", number},
	         {"rows_scanned", number},
	         {"local_reason", text},
	         {"error", text},
	         {"sql", text}},
	        [](DatabaseState &database) {
		        Rows rows;
		        auto now_us = Timestamp::GetCurrentTimestamp().value;
		        database.services.recorder->ForEach([&](const QueryRecord &record) {
			        QuerySummary line(record, now_us);
			        auto &query = line.query;
			        rows.push_back({Value(query.query_id), TextOrNull(line.session), Value(query.state),
			                        Value(ExecutionModeName(query.mode)),
			                        Value::TIMESTAMP(timestamp_t(query.start_time_us)), Milliseconds(query.duration_us),
			                        Number(query.num_stages), Number(line.sums.tasks), Number(line.sums.done),
			                        Number(line.sums.running), Number(query.num_workers_used), Number(query.retries),
			                        Number(query.bytes_exchanged), Number(line.sums.spilled_bytes),
			                        Number(line.sums.scanned_rows), TextOrNull(query.local_reason),
			                        TextOrNull(query.error), Value(query.sql)});
		        });
		        return rows;
	        }};
}

Value TimeOrNull(int64_t us) {
	return us == 0 ? Value(LogicalType::TIMESTAMP) : Value::TIMESTAMP(timestamp_t(us));
}

View SessionsView() {
	auto text = LogicalType::VARCHAR;
	auto time = LogicalType::TIMESTAMP;
	return {"duckherder_sessions",
	        "Sessions of clients at this driver, and their transactions",
	        {{"session_id", LogicalType::BIGINT},
	         {"client", text},
	         {"protocol", text},
	         {"read_only", LogicalType::BOOLEAN},
	         {"state", text},
	         {"opened", time},
	         {"transaction_start", time},
	         {"last_statement", text}},
	        [](DatabaseState &database) {
		        Rows rows;
		        for (auto &session : database.ListSessions()) {
			        rows.push_back({Number(session.number), TextOrNull(session.client), TextOrNull(session.protocol),
			                        Value::BOOLEAN(session.read_only), Value(session.State()),
			                        TimeOrNull(session.opened_us), TimeOrNull(session.transaction_us),
			                        TextOrNull(session.statement)});
		        }
		        return rows;
	        }};
}

} // namespace

void RegisterViewFunctions(ExtensionLoader &loader, const std::shared_ptr<DatabaseState> &database) {
	for (auto &view : {WorkersView(), TasksView(), StatisticsView(), HistoryView(), QueriesView(), SessionsView()}) {
		TableFunction function(view.name, {}, ScanView, BindView, InitView);
		function.function_info = make_shared_ptr<ViewInfo>(database, view);
		AddNamedArgument(function, DRIVER_PARAMETER, LogicalType::VARCHAR);
		CreateTableFunctionInfo info(std::move(function));
		info.descriptions.push_back(
		    Describe({}, {}, view.description, string("FROM ") + view.name + "(database := 'attached driver')"));
		loader.RegisterFunction(std::move(info));
	}
}

} // namespace duckherder
