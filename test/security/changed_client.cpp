#include "client/attach.hpp"
#include "wire/catalog_items.hpp"
#include "engine/driver_names.hpp"
#include "engine/fragment.hpp"
#include "engine/view_scan.hpp"
#include "transport/flight/remote_database.hpp"
#include "transport/credentials/token.hpp"

#include "duckdb.hpp"
#include "duckdb/function/scalar_function.hpp"
#include "duckdb/function/table_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/parser/parser.hpp"
#include "duckdb/parser/statement/alter_statement.hpp"
#include "duckdb/parser/statement/create_statement.hpp"
#include "duckdb/parser/statement/drop_statement.hpp"
#include "duckdb/planner/planner.hpp"

#include <iostream>
#include <random>
#include <unistd.h>

//! changed_client LOCATION TOKEN_FILE [SQL-of-its-own-database]
//! Reads lines `KIND<tab>WRITES<tab>TEXT` from stdin, says `ready` when it has made what it will send, sends it as a
//! statement of its own when it is told to `go`, and answers with one line: `ok <rows> <first row>` or `error
//! <message>`, which may also come instead of `ready`. WRITES is what it says of the statement: 0 or 1. Kinds: sql,
//! describe, plan (of the text, made by this process's own DuckDB, as no client of ours would make it), damaged (such a
//! plan with other bytes in some places, by a seed that stands before its text), bytes (no plan at all), definition,
//! catalog.
namespace duckherder {
namespace {

using namespace duckdb;

void Nothing(DataChunk &, ExpressionState &, Vector &) {
	throw InvalidInputException("not here");
}

unique_ptr<FunctionData> BindNothing(ClientContext &, TableFunctionBindInput &, vector<LogicalType> &types,
                                     vector<string> &names) {
	types = {LogicalType::VARCHAR};
	names = {"column0"};
	return make_uniq<TableFunctionData>();
}

void ScanNothing(ClientContext &, TableFunctionInput &, DataChunk &) {
}

//! Functions of the driver that this process has not, under their names
void RegisterNames(DatabaseInstance &instance) {
	ExtensionLoader loader(instance, "changed_client");
	auto text = LogicalType::VARCHAR;
	for (auto name : {"duckherder_register_worker"}) {
		ScalarFunction function(name, {text, text}, text, Nothing);
		function.SetStability(FunctionStability::VOLATILE);
		loader.RegisterFunction(function);
	}
	for (auto name : {"duckherder_unregister_worker", "duckherder_load_extension", "duckherder_kill"}) {
		ScalarFunction function(name, {text}, text, Nothing);
		function.SetStability(FunctionStability::VOLATILE);
		loader.RegisterFunction(function);
	}
	for (auto name : {"duckherder_clear_query_recorder_stats", "duckherder_stop_local_server"}) {
		ScalarFunction function(name, {}, text, Nothing);
		function.SetStability(FunctionStability::VOLATILE);
		loader.RegisterFunction(function);
	}
	for (auto name : {"duckherder_get_query_history", "duckherder_tasks", "duckherder_get_query_execution_stats"}) {
		loader.RegisterFunction(TableFunction(name, {}, ScanNothing, BindNothing));
	}
	loader.RegisterFunction(ViewScanFunction());
}

class ChangedClient {
public:
	ChangedClient(const std::string &location, const std::string &token_file, const std::string &sql)
	    : driver(location, FlightClientSettings {LoadOrCreateToken(token_file), ""}), local(nullptr), planner(local) {
		RegisterNames(*local.instance);
		auto result = planner.Query(sql);
		if (result->HasError()) {
			result->ThrowError();
		}
	}

	std::string Send(const std::string &kind, bool writes, const std::string &text) {
		Prepare(kind, text);
		std::cout << "ready" << std::endl;
		std::string go;
		std::getline(std::cin, go);
		SessionRequest request;
		request.duckdb_version = DuckDB::LibraryVersion();
		auto session = driver.OpenSession(request, Role::READ);
		try {
			auto answer = Answer(session.id, kind, writes, text);
			driver.Commit(session.id);
			driver.CloseSession(session.id);
			return answer;
		} catch (...) {
			driver.CloseSession(session.id);
			throw;
		}
	}

private:
	//! Makes `body` and `types`
	void Prepare(const std::string &kind, const std::string &text) {
		types.clear();
		body = text;
		if (kind == "definition") {
			body = Definition(text);
			types = {LogicalType::BOOLEAN};
		} else if (kind == "bytes") {
			types = {LogicalType::BIGINT};
		} else if (kind == "plan") {
			body = Plan(text);
		} else if (kind == "damaged") {
			auto space = text.find(' ');
			body = Plan(text.substr(space + 1));
			std::mt19937 random(static_cast<uint32_t>(std::stoul(text.substr(0, space))));
			for (auto i = 0; i < 1 + static_cast<int>(random() % 3); i++) {
				body[random() % body.size()] = static_cast<char>(random() % 8 == 0 ? random() : random() % 16);
			}
		}
	}

	std::string Answer(const SessionId &session, const std::string &kind, bool writes, const std::string &text) {
		if (kind == "describe") {
			auto shape = driver.Describe(session, text);
			std::string names;
			for (auto &name : shape.names) {
				names += " " + name;
			}
			return "ok " + std::to_string(shape.names.size()) + names;
		}
		if (kind == "catalog") {
			return "ok " + std::to_string(driver.ListCatalog(session, false, 0).items.size());
		}
		SessionStatement statement;
		statement.session = session;
		statement.text = text;
		statement.writes = writes;
		statement.buffered = true;
		statement.body = body;
		if (kind == "sql") {
			statement.kind = StatementKind::SQL;
			types = driver.Describe(session, text).types;
		} else if (kind == "definition") {
			statement.kind = StatementKind::DEFINITION;
		}
		return Rows(*driver.Run(statement, types, nullptr), types);
	}

	static std::string Rows(ChunkSource &source, const vector<LogicalType> &types) {
		auto reader = source.OpenReader();
		DataChunk chunk;
		chunk.Initialize(Allocator::DefaultAllocator(), types);
		idx_t rows = 0;
		std::string first;
		while (true) {
			chunk.Reset();
			reader->Next(chunk);
			if (chunk.size() == 0) {
				return "ok " + std::to_string(rows) + " " + first;
			}
			if (rows == 0) {
				for (auto &column : chunk.data) {
					first += column.GetValue(0).ToString() + " ";
				}
			}
			rows += chunk.size();
		}
	}

	static std::string Definition(const std::string &text) {
		Parser parser;
		parser.ParseQuery(text);
		auto &statement = *parser.statements.at(0);
		switch (statement.type) {
		case StatementType::CREATE_STATEMENT:
			return EncodeDefinition(*statement.Cast<CreateStatement>().info);
		case StatementType::ALTER_STATEMENT:
			return EncodeDefinition(*statement.Cast<AlterStatement>().info);
		case StatementType::DROP_STATEMENT:
			return EncodeDefinition(*statement.Cast<DropStatement>().info);
		default:
			throw InvalidInputException("not a definition");
		}
	}

	std::string Plan(const std::string &text) {
		std::string plan_bytes;
		auto &context = *planner.context;
		context.RunFunctionInTransaction([&] {
			Parser parser;
			parser.ParseQuery(text);
			Planner plans(context);
			plans.CreatePlan(std::move(parser.statements.at(0)));
			plans.plan->ResolveOperatorTypes();
			types = plans.plan->types;
			DriverNames names;
			plan_bytes = EncodeFragment(context, *plans.plan);
		});
		return plan_bytes;
	}

	RemoteDatabase driver;
	std::string body;
	vector<LogicalType> types;
	DuckDB local;
	Connection planner;
};

std::string OneLine(std::string text) {
	for (auto &character : text) {
		// whoever reads the line may take others for its end, too
		character = static_cast<unsigned char>(character) < ' ' ? ' ' : character;
	}
	return text;
}

int Run(int count, char **words) {
	if (count < 3) {
		std::cerr << "changed_client LOCATION TOKEN_FILE [SQL]" << std::endl;
		return 2;
	}
	ChangedClient client(words[1], words[2], count > 3 ? words[3] : "SELECT 1");
	std::string line;
	while (std::getline(std::cin, line)) {
		auto first = line.find('\t');
		auto second = line.find('\t', first + 1);
		std::string answer;
		try {
			answer = client.Send(line.substr(0, first), line.substr(first + 1, second - first - 1) == "1",
			                     line.substr(second + 1));
		} catch (std::exception &error) {
			answer = "error " + ErrorData(error).Message();
		}
		std::cout << OneLine(answer) << std::endl;
	}
	return 0;
}

} // namespace
} // namespace duckherder

int main(int argc, char **argv) {
	try {
		// gRPC's threads are still there
		_exit(duckherder::Run(argc, argv));
	} catch (std::exception &error) {
		std::cerr << duckdb::ErrorData(error).Message() << std::endl;
		_exit(1);
	}
}
