#include "main/operator_commands.hpp"

#include "main/node_flags.hpp"
#include "transport/credentials/token.hpp"
#include "transport/flight/remote_database.hpp"
#include "wire/json.hpp"
#include "web/statement_rows.hpp"

#include "duckdb/common/exception.hpp"
#include "duckdb/common/string_util.hpp"
#include "duckdb/parser/keyword_helper.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <limits>
#include <thread>

namespace duckherder {

using namespace node_flags;
using duckdb::StringUtil;

namespace {

//! DuckDB's, with a name that is short enough for what is written with it here
template <class... VALUES>
std::string Format(const char *format, VALUES... values) {
	return StringUtil::Format(format, values...);
}

const FlagSpec JSON {"--json", "", "a JSON object for each row, on a line of its own"};
const FlagSpec LIMIT {"--limit", "N", "at most so many; default 20"};
const FlagSpec STATE {"--state", "STATE", "only those that are QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED or LOST"};
const FlagSpec SECONDS {"--seconds", "N", "between two looks; default 2"};
const FlagSpec COUNT {"--count", "N", "how many looks; default: until it is interrupted"};

//! Longer texts are cut in tables, not in JSON
constexpr size_t CELL_CHARACTERS_MAX = 60;

std::string Quoted(const std::string &text) {
	return duckdb::KeywordHelper::WriteQuoted(text, '\'');
}

bool IsNumber(const duckdb::LogicalType &type) {
	return type.IsNumeric();
}

std::string CellText(const duckdb::Value &value) {
	if (value.IsNull()) {
		return "";
	}
	auto text = value.type().id() == duckdb::LogicalTypeId::DOUBLE
	                ? StringUtil::Format("%.1f", value.GetValue<double>())
	                : value.ToString();
	std::replace(text.begin(), text.end(), '\n', ' ');
	return text;
}

//! Of UTF-8
size_t Characters(const std::string &text) {
	return static_cast<size_t>(std::count_if(
	    text.begin(), text.end(), [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

std::string Shortened(const std::string &text) {
	if (Characters(text) <= CELL_CHARACTERS_MAX) {
		return text;
	}
	std::string result;
	size_t characters = 0;
	for (auto byte : text) {
		characters += (static_cast<unsigned char>(byte) & 0xC0) != 0x80 ? 1 : 0;
		if (characters == CELL_CHARACTERS_MAX) {
			break;
		}
		result += byte;
	}
	return result + "…";
}

void PrintTable(const StatementRows &result) {
	auto columns = result.shape.names.size();
	std::vector<std::vector<std::string>> lines(1);
	for (auto &name : result.shape.names) {
		lines[0].push_back(StringUtil::Upper(name));
	}
	for (auto &row : result.rows) {
		lines.emplace_back();
		for (auto &value : row) {
			lines.back().push_back(Shortened(CellText(value)));
		}
	}
	std::vector<size_t> widths(columns);
	for (auto &line : lines) {
		for (size_t i = 0; i < columns; i++) {
			widths[i] = std::max(widths[i], Characters(line[i]));
		}
	}
	for (auto &line : lines) {
		std::string text;
		for (size_t i = 0; i < columns; i++) {
			std::string space(widths[i] - Characters(line[i]), ' ');
			auto right = IsNumber(result.shape.types[i]);
			text += (i > 0 ? "  " : "") + (right ? space + line[i] : line[i] + space);
		}
		text.erase(text.find_last_not_of(' ') + 1);
		std::cout << text << "\n";
	}
	std::cout.flush();
}

void SetValue(JsonNode object, const char *name, const duckdb::Value &value) {
	if (value.IsNull()) {
		object.SetNull(name);
		return;
	}
	switch (value.type().id()) {
	case duckdb::LogicalTypeId::BOOLEAN:
		object.Set(name, value.GetValue<bool>());
		break;
	case duckdb::LogicalTypeId::FLOAT:
	case duckdb::LogicalTypeId::DOUBLE:
		object.Set(name, value.GetValue<double>());
		break;
	case duckdb::LogicalTypeId::TINYINT:
	case duckdb::LogicalTypeId::SMALLINT:
	case duckdb::LogicalTypeId::INTEGER:
	case duckdb::LogicalTypeId::BIGINT:
		object.Set(name, value.GetValue<int64_t>());
		break;
	default:
		object.Set(name, value.ToString());
	}
}

void PrintJson(const StatementRows &result) {
	for (auto &row : result.rows) {
		JsonDocument document;
		for (size_t i = 0; i < row.size(); i++) {
			SetValue(document.Root(), result.shape.names[i].c_str(), row[i]);
		}
		std::cout << document.Text();
	}
	std::cout.flush();
}

//! A command with its flags, and the driver that it asks
class Operator {
public:
	Operator(const CommandSpec &spec, const std::vector<std::string> &words)
	    : flags(spec.name, spec.flags, words), helped(WantsHelp(flags, Usage(spec), spec.flags)) {
	}

	StatementRows Ask(const std::string &sql) {
		if (!database) {
			AllowDumps(false);
			auto settings = ClientSettingsOf(flags, LoadToken(TokenFileOf(flags)));
			database = std::make_unique<RemoteDatabase>(DriverLocation(flags), std::move(settings));
		}
		return RunStatement(*database, sql, Role::NODE, std::numeric_limits<uint64_t>::max(), nullptr);
	}

	void Show(const std::string &sql) {
		auto result = Ask(sql);
		if (flags.Has(JSON.name)) {
			PrintJson(result);
		} else {
			PrintTable(result);
		}
	}

	const CommandLine flags;
	//! The help was asked for, and that was all
	const bool helped;

private:
	static std::string Usage(const CommandSpec &spec) {
		auto subject = spec.subject.empty() ? "" : " " + spec.subject;
		return Format("duckherder %s%s: %s", spec.name, subject, spec.summary);
	}

	std::unique_ptr<RemoteDatabase> database;
};

bool TakesNextWord(const CommandSpec &spec, const std::string &word) {
	return std::any_of(spec.flags.begin(), spec.flags.end(),
	                   [&](const FlagSpec &flag) { return word == flag.name && flag.value[0] != '\0'; });
}

//! The first word that is neither a flag nor the value of one; UsageError if it is not there
std::string TakeSubject(const CommandSpec &spec, std::vector<std::string> &words) {
	for (auto word = words.begin(); word != words.end(); ++word) {
		if (word->rfind("--", 0) != 0) {
			auto subject = *word;
			words.erase(word);
			return subject;
		}
		if (TakesNextWord(spec, *word)) {
			++word;
		}
		if (word == words.end()) {
			break;
		}
	}
	if (std::find(words.begin(), words.end(), HELP.name) != words.end()) {
		return std::string();
	}
	throw UsageError("duckherder %s %s: the %s is missing", spec.name, spec.subject, spec.subject);
}

constexpr const char *QUERY_COLUMNS =
    "query_id, session, state, execution_mode AS mode, execution_start_time AS began, "
    "query_duration_ms AS ms, tasks_done || '/' || tasks AS tasks, "
    "num_workers_used AS workers, retries, bytes_exchanged AS exchanged, ";

void Queries(Operator &command, const std::string &) {
	auto limit = command.flags.GetNumber(LIMIT.name, 20, 1, 1000000);
	auto state = StringUtil::Upper(command.flags.Get(STATE.name));
	auto condition = state.empty() ? std::string() : Format("WHERE state = %s", Quoted(state));
	command.Show(Format("SELECT %s sql FROM duckherder_queries() %s ORDER BY execution_start_time DESC LIMIT %llu",
	                    QUERY_COLUMNS, condition, limit));
}

void Query(Operator &command, const std::string &id) {
	auto facts = command.Ask(Format("SELECT * FROM duckherder_queries() WHERE query_id = %s", Quoted(id)));
	if (facts.rows.empty()) {
		throw duckdb::InvalidInputException("There is no query '%s', or it is so old that it is forgotten", id);
	}
	if (command.flags.Has(JSON.name)) {
		PrintJson(facts);
	} else {
		for (size_t i = 0; i < facts.shape.names.size(); i++) {
			auto text = CellText(facts.rows[0][i]);
			if (!text.empty()) {
				std::cout << StringUtil::Format("%-22s", facts.shape.names[i]) << text << "\n";
			}
		}
		std::cout << "\n";
	}
	command.Show(Format("SELECT stage_id AS stage, count(*) AS tasks, count(DISTINCT worker_id) AS workers, "
	                    "sum(rows)::BIGINT AS rows, sum(bytes)::BIGINT AS bytes, sum(duration_ms) AS busy_ms, "
	                    "median(duration_ms) AS median_ms, max(duration_ms) AS slowest_ms, "
	                    "arg_max(worker_id, duration_ms) AS slowest_worker, sum(attempt)::BIGINT AS retries "
	                    "FROM duckherder_tasks() WHERE query_id = %s GROUP BY stage_id ORDER BY stage_id",
	                    Quoted(id)));
}

void Kill(Operator &command, const std::string &id) {
	auto killed = command.Ask(Format("SELECT duckherder_kill(%s)", Quoted(id))).rows.at(0).at(0);
	if (!killed.GetValue<bool>()) {
		throw duckdb::InvalidInputException("No distributed query '%s' runs at this driver or on its workers", id);
	}
	std::cout << "killed " << id << std::endl;
}

//! By a function of SQL whose one argument is the worker
void CallOnWorker(Operator &command, const char *function, const std::string &id) {
	std::cout << command.Ask(Format("SELECT %s(%s)", function, Quoted(id))).rows.at(0).at(0).ToString() << std::endl;
}

void Top(Operator &command, const std::string &) {
	auto seconds = command.flags.GetNumber(SECONDS.name, 2, 1, 3600);
	auto count = command.flags.GetNumber(COUNT.name, 0, 1, 1000000);
	for (uint64_t look = 0; count == 0 || look < count; look++) {
		if (look > 0) {
			std::this_thread::sleep_for(std::chrono::seconds(seconds));
		}
		if (!command.flags.Has(JSON.name)) {
			// home, and clear the screen
			std::cout << "\033[H\033[2J";
		}
		command.Show("SELECT id, state, threads, running_tasks AS tasks, kept_queries AS kept, memory_used >> 20 AS "
		             "memory_mb, memory_limit >> 20 AS limit_mb FROM duckherder_workers()");
		std::cout << "\n";
		command.Show(Format("SELECT %s sql FROM duckherder_queries() WHERE state IN ('RUNNING', 'QUEUED') ORDER BY "
		                    "execution_start_time",
		                    QUERY_COLUMNS));
	}
}

struct OperatorCommand {
	CommandSpec spec;
	void (*run)(Operator &command, const std::string &subject);
};

CommandSpec Spec(const char *name, const char *subject, const char *summary, std::vector<FlagSpec> flags = {}) {
	for (auto &flag : {JSON, DRIVER, TOKEN, TLS_CA, TLS_SHOWN_CERT, TLS_KEY, HELP}) {
		flags.push_back(flag);
	}
	return {name, subject, summary, std::move(flags)};
}

const std::vector<OperatorCommand> &Commands() {
	static const std::vector<OperatorCommand> commands = {
	    {Spec("queries", "", "the last queries of a driver, the latest first", {STATE, LIMIT}), Queries},
	    {Spec("query", "ID", "one query, and what its stages did"), Query},
	    {Spec("kill", "ID", "ends a distributed query that runs"), Kill},
	    {Spec("workers", "", "who is there"),
	     [](Operator &command, const std::string &) { command.Show("FROM duckherder_workers()"); }},
	    {Spec("drain", "WORKER", "lets the worker take no new tasks, and end once nobody needs it any more"),
	     [](Operator &command, const std::string &id) { CallOnWorker(command, "duckherder_drain_worker", id); }},
	    {Spec("forget", "WORKER", "takes a worker that is lost off the list"),
	     [](Operator &command, const std::string &id) { CallOnWorker(command, "duckherder_forget_worker", id); }},
	    {Spec("sessions", "", "clients of the driver's database"),
	     [](Operator &command, const std::string &) { command.Show("FROM duckherder_sessions()"); }},
	    {Spec("sql", "STATEMENT", "runs it in the driver's database, and shows its rows"),
	     [](Operator &command, const std::string &text) { command.Show(text); }},
	    {Spec("top", "", "workers and running queries, again and again", {SECONDS, COUNT}), Top},
	};
	return commands;
}

} // namespace

std::vector<CommandSpec> OperatorCommands() {
	std::vector<CommandSpec> specs;
	for (auto &command : Commands()) {
		specs.push_back(command.spec);
	}
	return specs;
}

bool RunOperatorCommand(const std::string &name, std::vector<std::string> words) {
	for (auto &entry : Commands()) {
		if (entry.spec.name != name) {
			continue;
		}
		auto subject = entry.spec.subject.empty() ? std::string() : TakeSubject(entry.spec, words);
		Operator command(entry.spec, words);
		if (!command.helped) {
			entry.run(command, subject);
		}
		return true;
	}
	return false;
}

} // namespace duckherder
