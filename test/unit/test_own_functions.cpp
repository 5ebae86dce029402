#include "extension/load.hpp"
#include "main/process_nodes.hpp"
#include "transport/credentials/token.hpp"

#include "duckdb.hpp"
#include "duckdb/catalog/catalog_entry/aggregate_function_catalog_entry.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "duckdb/parser/parsed_data/create_aggregate_function_info.hpp"
#include "duckdb/parser/parsed_data/create_scalar_function_info.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

//! Functions that a program around DuckDB has registered, in the way that Python and the C API do: `internal`, in the
//! system's schema, also under the name of a built-in function
namespace duckherder {
namespace {

using duckdb::Connection;
using duckdb::LogicalType;

class OwnFunctions : public testing::TestWithParam<const char *> {
protected:
	OwnFunctions() : token_file(testing::TempDir() + "duckherder-own-token-" + std::to_string(getpid())), db(nullptr) {
		std::ofstream(token_file) << MakeToken();
		std::filesystem::permissions(token_file, std::filesystem::perms(0600));
		setenv("DUCKHERDER_TOKEN_FILE", token_file.c_str(), 1);
		duckdb::ExtensionLoader loader(*db.instance, "duckherder");
		LoadIntoDatabase(loader, std::make_shared<ProcessNodes>());
		connection = std::make_unique<Connection>(db);
		for (auto sql : {"SELECT duckherder_start_local_server(0, 2)", "SET duckherder_min_rows = 1",
		                 "CREATE TABLE t AS SELECT i AS v, i % 5 AS g, 'Text ' || i AS s FROM range(20000) r(i)"}) {
			Run(sql);
		}
	}
	~OwnFunctions() override {
		Run("SELECT duckherder_stop_local_server()");
		std::filesystem::remove(token_file);
	}

	std::string Run(const std::string &sql) {
		auto result = connection->Query(sql);
		EXPECT_FALSE(result->HasError()) << sql << ": " << result->GetError();
		return result->HasError() ? "" : result->ToString();
	}

	//! The right rows, and what `local_reason` says
	std::string Check(const std::string &sql) {
		Run("SET duckherder_mode = 'never'");
		auto expected = Run(sql);
		Run("SET duckherder_mode = 'always'");
		EXPECT_EQ(Run(sql), expected);
		auto mode = connection->Query("SELECT execution_mode || ': ' || coalesce(local_reason, '') FROM "
		                              "duckherder_get_query_execution_stats() ORDER BY execution_start_time DESC, "
		                              "query_id DESC LIMIT 1");
		return mode->GetValue(0, 0).ToString();
	}

	//! A function that adds one
	void RegisterScalar(const std::string &name) {
		auto plus_one = [](duckdb::DataChunk &arguments, duckdb::ExpressionState &, duckdb::Vector &result) {
			duckdb::UnaryExecutor::Execute<int64_t, int64_t>(arguments.data[0], result, arguments.size(),
			                                                 [](int64_t number) { return number + 1; });
		};
		duckdb::ScalarFunction function(name, {LogicalType::BIGINT}, LogicalType::BIGINT, plus_one);
		duckdb::CreateScalarFunctionInfo info(function);
		info.internal = true;
		info.on_conflict = duckdb::OnCreateConflict::ALTER_ON_CONFLICT;
		auto &context = *connection->context;
		context.RunFunctionInTransaction(
		    [&] { duckdb::Catalog::GetSystemCatalog(context).CreateFunction(context, info); });
	}

	//! A function of its own name; DuckDB's optimizer replaces some others by functions that workers have.
	void RegisterAggregate(const std::string &name) {
		auto &context = *connection->context;
		context.RunFunctionInTransaction([&] {
			auto &catalog = duckdb::Catalog::GetSystemCatalog(context);
			auto &entry = catalog.GetEntry<duckdb::AggregateFunctionCatalogEntry>(context, DEFAULT_SCHEMA, "bit_xor");
			auto function = entry.functions.GetFunctionByArguments(context, {LogicalType::BIGINT});
			function.name = name;
			duckdb::CreateAggregateFunctionInfo info(function);
			info.internal = true;
			info.on_conflict = duckdb::OnCreateConflict::REPLACE_ON_CONFLICT;
			catalog.CreateFunction(context, info);
		});
	}

	const std::string token_file;
	duckdb::DuckDB db;
	std::unique_ptr<Connection> connection;
};

class OwnScalars : public OwnFunctions {};
class OwnAggregates : public OwnFunctions {};

TEST_P(OwnScalars, StayInTheSession) {
	std::string f = GetParam();
	RegisterScalar(f);
	auto reason = "the function " + f + " exists only in this session";
	for (auto &sql : {
	         "SELECT sum(" + f + "(v)) FROM t",
	         "SELECT count(*) FROM t WHERE " + f + "(v) % 2 = 0",
	         "SELECT sum(list_sum(list_transform([v, 1], lambda x: " + f + "(x)))) FROM t",
	         "SELECT max(w) FROM (SELECT sum(" + f + "(v)) OVER (PARTITION BY g ORDER BY v) AS w FROM t)",
	         "SELECT " + f + "(g) AS k, count(*) FROM t GROUP BY k ORDER BY k",
	     }) {
		auto mode = Check(sql);
		EXPECT_NE(mode.find(reason), std::string::npos) << mode << ": " << sql;
		EXPECT_NE(mode.substr(0, 11), "DISTRIBUTED") << sql;
	}
	EXPECT_EQ(Check("SELECT sum(v), max(upper(s)) FROM t"), "DISTRIBUTED: ");
}

TEST_P(OwnAggregates, StayInTheSession) {
	std::string f = GetParam();
	RegisterAggregate(f);
	auto reason = "the aggregate " + f + " exists only in this session";
	for (auto &sql : {
	         "SELECT " + f + "(v) FROM t",
	         "SELECT g, " + f + "(v) FROM t GROUP BY g ORDER BY g",
	         "SELECT max(w) FROM (SELECT " + f + "(v) OVER (PARTITION BY g ORDER BY v) AS w FROM t)",
	         "SELECT sum(list_aggregate([v, 1], '" + f + "')) FROM t",
	     }) {
		auto mode = Check(sql);
		EXPECT_NE(mode.find(reason), std::string::npos) << mode << ": " << sql;
	}
	EXPECT_EQ(Check("SELECT sum(v), count(*) FROM t"), "DISTRIBUTED: ");
}

INSTANTIATE_TEST_SUITE_P(Scalars, OwnScalars, testing::Values("f", "abs"));
INSTANTIATE_TEST_SUITE_P(Aggregates, OwnAggregates, testing::Values("f", "product"));

} // namespace
} // namespace duckherder
