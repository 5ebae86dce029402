#include "extension/load.hpp"
#include "main/process_nodes.hpp"
#include "transport/credentials/token.hpp"

#include "duckdb.hpp"
#include "duckdb/main/extension/extension_loader.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

//! Sessions, driver and workers in one process, so that ThreadSanitizer sees all their threads. What queries return is
//! the business of the Python tests.
namespace duckherder {
namespace {

using duckdb::Connection;

const std::vector<std::string> QUERIES = {
    "SELECT k, sum(i), avg(i), count(DISTINCT i % 10) FROM t GROUP BY k ORDER BY k",
    "SELECT count(*), sum(t.i + u.i) FROM t JOIN u ON t.i = u.i WHERE u.k < 5",
    "SELECT i, pad FROM t ORDER BY hash(i), i LIMIT 50",
    "SELECT k, i FROM (SELECT k, i, row_number() OVER (PARTITION BY k ORDER BY i DESC) AS n FROM t) WHERE n < 4 "
    "ORDER BY k, i",
    "SELECT k, sum(i) FROM t GROUP BY k UNION ALL SELECT k, max(i) FROM u GROUP BY k ORDER BY 1, 2",
};

//! A database that has loaded the extension
class Loaded {
public:
	Loaded() : db(nullptr) {
		duckdb::ExtensionLoader loader(*db.instance, "duckherder");
		LoadIntoDatabase(loader, std::make_shared<ProcessNodes>());
	}

	std::unique_ptr<Connection> Connect() {
		auto result = std::make_unique<Connection>(db);
		for (auto setting : {"duckherder_mode = 'always'", "duckherder_require_distributed = true",
		                     "duckherder_min_rows = 1", "duckherder_min_task_bytes = 1"}) {
			Run(*result, std::string("SET ") + setting);
		}
		return result;
	}

	static std::string Run(Connection &connection, const std::string &sql) {
		auto result = connection.Query(sql);
		EXPECT_FALSE(result->HasError()) << sql << ": " << result->GetError();
		return result->HasError() || result->RowCount() == 0 ? "" : result->ToString();
	}

	duckdb::DuckDB db;
};

class DriverQueries : public testing::Test {
protected:
	DriverQueries() : token_file(testing::TempDir() + "duckherder-token-" + std::to_string(getpid())) {
		std::ofstream(token_file) << MakeToken();
		std::filesystem::permissions(token_file, std::filesystem::perms(0600));
		setenv("DUCKHERDER_TOKEN_FILE", token_file.c_str(), 1);
	}
	~DriverQueries() override {
		std::filesystem::remove(token_file);
	}

	static void MakeTables(Connection &connection) {
		for (auto table : {"t", "u"}) {
			Loaded::Run(connection, std::string("CREATE TABLE ") + table +
			                            " AS SELECT i, i % 13 AS k, repeat('x', (i % 30)::INT) AS pad "
			                            "FROM range(30000) r(i)");
		}
	}

	static std::vector<std::string> AnswerAll(Connection &connection) {
		std::vector<std::string> answers;
		for (auto &sql : QUERIES) {
			answers.push_back(Loaded::Run(connection, sql));
		}
		return answers;
	}

	static std::vector<std::string> Expected(Connection &connection) {
		Loaded::Run(connection, "SET duckherder_require_distributed = false");
		Loaded::Run(connection, "SET duckherder_mode = 'never'");
		auto answers = AnswerAll(connection);
		Loaded::Run(connection, "SET duckherder_mode = 'always'");
		Loaded::Run(connection, "SET duckherder_require_distributed = true");
		return answers;
	}

	//! Joins by shuffling and by copying
	static void Check(Connection &connection) {
		auto expected = Expected(connection);
		for (auto limit : {"0", "1000000000"}) {
			Loaded::Run(connection, std::string("SET duckherder_broadcast_limit = ") + limit);
			EXPECT_EQ(AnswerAll(connection), expected);
		}
	}

	const std::string token_file;
};

TEST_F(DriverQueries, EmbeddedWorkers) {
	Loaded loaded;
	auto connection = loaded.Connect();
	MakeTables(*connection);
	Loaded::Run(*connection, "SELECT duckherder_start_local_server(0, 3)");
	Check(*connection);
	Loaded::Run(*connection, "SELECT duckherder_stop_local_server()");
}

TEST_F(DriverQueries, WorkersBehindFlight) {
	Loaded nodes;
	auto serving = nodes.Connect();
	// "listening on grpc://127.0.0.1:PORT with 3 workers"
	auto started = serving->Query("SELECT duckherder_start_local_server(0, 3)")->GetValue(0, 0).ToString();
	auto colon = started.rfind(':');
	auto port = started.substr(colon + 1, started.find(' ', colon) - colon - 1);
	{
		Loaded loaded;
		auto connection = loaded.Connect();
		MakeTables(*connection);
		Loaded::Run(*connection, "SELECT duckherder_register_or_replace_driver('127.0.0.1', " + port + ")");
		Check(*connection);
	}
	Loaded::Run(*serving, "SELECT duckherder_stop_local_server()");
}

TEST_F(DriverQueries, ManySessions) {
	Loaded loaded;
	auto connection = loaded.Connect();
	MakeTables(*connection);
	auto expected = Expected(*connection);
	Loaded::Run(*connection, "SELECT duckherder_start_local_server(0, 2)");
	std::vector<std::thread> sessions;
	for (int i = 0; i < 3; i++) {
		sessions.emplace_back([&] {
			auto own = loaded.Connect();
			EXPECT_EQ(AnswerAll(*own), expected);
		});
	}
	// who looks at them meanwhile
	for (int i = 0; i < 20; i++) {
		for (auto view : {"duckherder_tasks", "duckherder_workers", "duckherder_get_query_execution_stats"}) {
			EXPECT_FALSE(connection->Query(std::string("FROM ") + view + "()")->HasError());
		}
	}
	for (auto &session : sessions) {
		session.join();
	}
}

TEST_F(DriverQueries, InterruptsAndEarlyEnds) {
	Loaded loaded;
	auto connection = loaded.Connect();
	MakeTables(*connection);
	Loaded::Run(*connection, "SELECT duckherder_start_local_server(0, 2)");
	auto slow = "SELECT sum(length(sha256(repeat(pad || i, 50)))) FROM t";
	for (int round = 0; round < 5; round++) {
		std::atomic<bool> ended {false};
		std::thread query([&] {
			connection->Query(slow);
			ended = true;
		});
		while (!ended) {
			connection->Interrupt();
			std::this_thread::yield();
		}
		query.join();
		// a result that nobody reads to its end
		auto result = connection->SendQuery("SELECT i, pad FROM t WHERE hash(i) % 2 < 2");
		ASSERT_FALSE(result->HasError()) << result->GetError();
		EXPECT_TRUE(result->Fetch());
	}
	EXPECT_EQ(Loaded::Run(*connection, QUERIES[0]), Expected(*connection)[0]);
}

TEST_F(DriverQueries, DatabasesThatEndAtOnce) {
	for (int round = 0; round < 10; round++) {
		Loaded loaded;
		auto connection = loaded.Connect();
		Loaded::Run(*connection, "CREATE TABLE t AS SELECT i FROM range(3000) r(i)");
		Loaded::Run(*connection, "SELECT duckherder_start_local_server(0, 2)");
		Loaded::Run(*connection, "SELECT sum(i) FROM t WHERE hash(i) % 2 < 2");
	}
}

} // namespace
} // namespace duckherder
