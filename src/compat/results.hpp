#pragma once

#include "duckdb/common/types/column/column_data_collection.hpp"
#include "duckdb/execution/operator/helper/physical_result_collector.hpp"
#include "duckdb/main/client_context.hpp"
#include "duckdb/main/connection.hpp"
#include "duckdb/main/query_result.hpp"

#if DUCKHERDER_DUCKDB_MAJOR < 2
#include "duckdb/main/materialized_query_result.hpp"
#include "duckdb/main/pending_query_result.hpp"
#endif

#include <functional>

//! Results and running queries. 2.0 has one class for what 1.5 has in three.

namespace duckherder {

#if DUCKHERDER_DUCKDB_MAJOR < 2

using CollectedResult = duckdb::MaterializedQueryResult;

inline const duckdb::vector<duckdb::string> &NamesOf(const duckdb::QueryResult &result) {
	return result.names;
}

inline const duckdb::vector<duckdb::LogicalType> &TypesOf(const duckdb::QueryResult &result) {
	return result.types;
}

//! Runs a statement of ours, whose rows go to a collector of ours, on this thread and those of the database
inline void RunToEnd(duckdb::ClientContext &context, duckdb::unique_ptr<duckdb::SQLStatement> statement) {
	auto running = context.PendingQuery(std::move(statement), duckdb::QueryParameters(false));
	if (running->HasError()) {
		running->ThrowError();
	}
	auto result = running->Execute();
	if (result->HasError()) {
		result->ThrowError();
	}
}

#else

using CollectedResult = duckdb::QueryResult;

inline const duckdb::vector<duckdb::Identifier> &NamesOf(const duckdb::QueryResult &result) {
	return result.GetNames();
}

inline const duckdb::vector<duckdb::LogicalType> &TypesOf(const duckdb::QueryResult &result) {
	return result.GetTypes();
}

inline void RunToEnd(duckdb::ClientContext &context, duckdb::unique_ptr<duckdb::SQLStatement> statement) {
	auto result = context.Submit(std::move(statement), duckdb::QueryParameters());
	result->ThrowIfError();
	result->Complete();
	result->ThrowIfError();
}

#endif

//! Runs a statement of a client, whose rows go to a collector of ours, on this thread and those of the database.
//! `parameters` are in the order of their numbers. Returns early if `closed` says so; throws the statement's error.
void RunToEnd(duckdb::Connection &connection, duckdb::unique_ptr<duckdb::SQLStatement> statement,
              const duckdb::vector<duckdb::Value> &parameters, const std::function<bool()> &closed);

//! Of a result collector whose rows go elsewhere: a result of its columns without rows
inline duckdb::unique_ptr<duckdb::QueryResult> EmptyResult(const duckdb::PhysicalResultCollector &collector) {
	auto nothing =
	    duckdb::make_uniq<duckdb::ColumnDataCollection>(duckdb::Allocator::DefaultAllocator(), collector.types);
	return duckdb::make_uniq<CollectedResult>(collector.statement_type, collector.properties, collector.names,
	                                          std::move(nothing), duckdb::ClientProperties());
}

} // namespace duckherder
