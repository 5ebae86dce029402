#include "history/record_columns.hpp"

#include "common/limits.hpp"
#include "common/text.hpp"

#include <algorithm>

namespace duckherder {

using namespace duckdb;

namespace {

//! Names each field of a task that is kept, for those below, which know what to do with it
template <class FIELDS, class TASK>
void EachField(FIELDS &fields, TASK &record) {
	auto &task = record.task;
	fields("stage_id", record.stage_id);
	fields("task_id", task.task_id);
	fields("total_tasks", task.total_tasks);
	fields("worker_id", record.worker_id);
	fields("attempt", record.attempt);
	fields("speculative", record.speculative);
	fields("state", record.state);
	fields("has_rows", task.has_rows);
	fields("row_start", task.row_start);
	fields("row_end", task.row_end);
	fields("row_group_start", task.row_group_start);
	fields("row_group_end", task.row_group_end);
	fields("rows", record.rows);
	fields("input_rows", record.input_rows);
	fields("output_rows", record.output_rows);
	fields("bytes", record.bytes);
	fields("pruned_rows", record.pruned_rows);
	fields("spilled_bytes", record.spilled_bytes);
	fields("duration_us", record.duration_us);
	fields("task_sql", task.task_sql);
}

template <class FIELDS, class QUERY>
void EachQueryField(FIELDS &fields, QUERY &record) {
	fields("number", record.number);
	fields("query_id", record.query_id);
	fields("sql", record.sql);
	fields("execution_mode", record.mode);
	fields("local_reason", record.local_reason);
	fields("partition_strategy", record.partition_strategy);
	fields("merge_strategy", record.merge_strategy);
	fields("num_stages", record.num_stages);
	fields("num_workers_used", record.num_workers_used);
	fields("retries", record.retries);
	fields("bytes_exchanged", record.bytes_exchanged);
	fields("duration_us", record.duration_us);
	fields("start_time_us", record.start_time_us);
	fields("state", record.state);
	fields("error", record.error);
	fields("tasks", record.tasks);
}

string Cut(const string &text, idx_t size) {
	auto cut = text.substr(0, WholeCharacters(text, size));
	if (!Value::StringIsValid(cut)) {
		// a message may quote anything
		std::replace_if(cut.begin(), cut.end(), [](char byte) { return static_cast<signed char>(byte) < 0; }, '?');
	}
	return cut;
}

//! Collects the types of fields
struct Columns {
	child_list_t<LogicalType> types;

	void operator()(const char *name, const std::string &) {
		types.emplace_back(name, LogicalType::VARCHAR);
	}
	void operator()(const char *name, const ExecutionMode &) {
		types.emplace_back(name, LogicalType::VARCHAR);
	}
	void operator()(const char *name, const std::vector<TaskHistory> &) {
		Columns task;
		TaskHistory none;
		EachField(task, none);
		types.emplace_back(name, LogicalType::LIST(LogicalType::STRUCT(std::move(task.types))));
	}
	template <class NUMBER>
	void operator()(const char *name, const NUMBER &) {
		types.emplace_back(name, Value::CreateValue<NUMBER>(0).type());
	}
};

//! Collects the values of fields
struct Values {
	explicit Values(idx_t text_size_p) : text_size(text_size_p) {
	}

	const idx_t text_size;
	vector<Value> values;

	void operator()(const char *, const std::string &text) {
		values.emplace_back(Cut(text, text_size));
	}
	void operator()(const char *, const ExecutionMode &mode) {
		values.emplace_back(ExecutionModeName(mode));
	}
	void operator()(const char *, const std::vector<TaskHistory> &tasks) {
		Columns columns;
		columns("", tasks);
		auto &type = ListType::GetChildType(columns.types[0].second);
		vector<Value> rows;
		for (auto &task : tasks) {
			Values row(limits::HISTORY_TASK_TEXT_BYTES_MAX);
			EachField(row, task);
			rows.push_back(Value::STRUCT(type, std::move(row.values)));
		}
		values.push_back(Value::LIST(type, std::move(rows)));
	}
	template <class NUMBER>
	void operator()(const char *, const NUMBER &number) {
		values.push_back(Value::CreateValue<NUMBER>(number));
	}
};

//! Sets fields to the values, one after another
struct Setter {
	explicit Setter(const vector<Value> &values_p) : values(values_p) {
	}

	const vector<Value> &values;
	idx_t next = 0;

	const Value &Next(const char *name) {
		auto &value = values.at(next++);
		if (value.IsNull()) {
			throw SerializationException("\"%s\" of a query is missing", name);
		}
		return value;
	}
	void operator()(const char *name, std::string &text) {
		text = StringValue::Get(Next(name));
	}
	void operator()(const char *name, ExecutionMode &mode) {
		auto &text = StringValue::Get(Next(name));
		for (auto known : {ExecutionMode::LOCAL, ExecutionMode::PARTIAL, ExecutionMode::DISTRIBUTED}) {
			if (text == ExecutionModeName(known)) {
				mode = known;
				return;
			}
		}
		throw SerializationException("\"%s\" of a query is '%s'", name, text);
	}
	void operator()(const char *name, std::vector<TaskHistory> &tasks) {
		for (auto &row : ListValue::GetChildren(Next(name))) {
			if (row.IsNull()) {
				throw SerializationException("A task of a query is missing");
			}
			Setter task(StructValue::GetChildren(row));
			tasks.emplace_back();
			EachField(task, tasks.back());
		}
	}
	template <class NUMBER>
	void operator()(const char *name, NUMBER &number) {
		number = Next(name).GetValue<NUMBER>();
	}
};

} // namespace

std::vector<std::pair<std::string, LogicalType>> RecordColumns() {
	Columns columns;
	QueryRecord none;
	EachQueryField(columns, none);
	return {columns.types.begin(), columns.types.end()};
}

vector<Value> ValuesOf(const QueryRecord &record) {
	Values row(limits::HISTORY_TEXT_BYTES_MAX);
	EachQueryField(row, record);
	return std::move(row.values);
}

QueryRecord RecordOf(const vector<Value> &values) {
	QueryRecord record;
	Setter row(values);
	EachQueryField(row, record);
	return record;
}

} // namespace duckherder
