#include "history/record_columns.hpp"

#include "common/limits.hpp"
#include "common/text.hpp"

#include <algorithm>

namespace duckherder {

using namespace duckdb;

namespace {

//! Names each field of a task that is kept, for those below, which know what to do with it
template <class FIELDS, class TASK>
void EachTaskField(FIELDS &fields, TASK &record) {
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
	fields("start_us", record.start_us);
}

//! The same for a stage
template <class FIELDS, class STAGE>
void EachStageField(FIELDS &fields, STAGE &stage) {
	fields("stage_id", stage.stage_id);
	fields("description", stage.description);
	fields("exchange", stage.exchange);
	fields("keys", stage.keys);
	fields("inputs", stage.inputs);
	fields("filters_from", stage.filters_from);
	fields("decision", stage.decision);
	fields("estimated_rows", stage.estimated_rows);
}

template <class FIELDS>
void EachField(FIELDS &fields, TaskHistory &task) {
	EachTaskField(fields, task);
}
template <class FIELDS>
void EachField(FIELDS &fields, const TaskHistory &task) {
	EachTaskField(fields, task);
}
template <class FIELDS>
void EachField(FIELDS &fields, StageHistory &stage) {
	EachStageField(fields, stage);
}
template <class FIELDS>
void EachField(FIELDS &fields, const StageHistory &stage) {
	EachStageField(fields, stage);
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
	fields("stages", record.stages);
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
	void operator()(const char *name, const std::vector<StageId> &) {
		types.emplace_back(name, LogicalType::LIST(Value::CreateValue<StageId>(0).type()));
	}
	template <class ROW>
	void operator()(const char *name, const std::vector<ROW> &) {
		Columns fields;
		const ROW none {};
		EachField(fields, none);
		types.emplace_back(name, LogicalType::LIST(LogicalType::STRUCT(std::move(fields.types))));
	}
	void operator()(const char *name, const std::optional<uint64_t> &) {
		types.emplace_back(name, LogicalType::UBIGINT);
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
	void operator()(const char *, const std::vector<StageId> &stages) {
		vector<Value> list;
		for (auto stage : stages) {
			list.push_back(Value::CreateValue<StageId>(stage));
		}
		values.push_back(Value::LIST(Value::CreateValue<StageId>(0).type(), std::move(list)));
	}
	template <class ROW>
	void operator()(const char *, const std::vector<ROW> &rows) {
		Columns columns;
		columns("", rows);
		auto &type = ListType::GetChildType(columns.types[0].second);
		vector<Value> list;
		for (auto &row : rows) {
			Values fields(limits::HISTORY_TASK_TEXT_BYTES_MAX);
			EachField(fields, row);
			list.push_back(Value::STRUCT(type, std::move(fields.values)));
		}
		values.push_back(Value::LIST(type, std::move(list)));
	}
	void operator()(const char *, const std::optional<uint64_t> &number) {
		values.push_back(number ? Value::UBIGINT(*number) : Value(LogicalType::UBIGINT));
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
	void operator()(const char *name, std::vector<StageId> &stages) {
		for (auto &stage : ListValue::GetChildren(Next(name))) {
			stages.push_back(stage.GetValue<StageId>());
		}
	}
	void operator()(const char *, std::vector<StageHistory> &stages) {
		// earlier versions have kept none
		auto &list = values.at(next++);
		if (!list.IsNull()) {
			AddRows(list, stages);
		}
	}
	void operator()(const char *name, std::vector<TaskHistory> &tasks) {
		AddRows(Next(name), tasks);
	}
	void operator()(const char *, std::optional<uint64_t> &number) {
		auto &value = values.at(next++);
		number = value.IsNull() ? std::nullopt : std::optional(value.GetValue<uint64_t>());
	}
	template <class NUMBER>
	void operator()(const char *name, NUMBER &number) {
		number = Next(name).GetValue<NUMBER>();
	}

private:
	template <class ROW>
	static void AddRows(const Value &list, std::vector<ROW> &rows) {
		for (auto &row : ListValue::GetChildren(list)) {
			if (row.IsNull()) {
				throw SerializationException("A task or stage of a query is missing");
			}
			Setter fields(StructValue::GetChildren(row));
			rows.emplace_back();
			EachField(fields, rows.back());
		}
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
