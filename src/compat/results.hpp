#pragma once

#include "duckdb/common/types/column/column_data_collection.hpp"
#include "duckdb/execution/operator/helper/physical_result_collector.hpp"
#include "duckdb/main/client_context.hpp"
#include "duckdb/main/query_result.hpp"

#if DUCKHERDER_DUCKDB_MAJOR < 2
#include "duckdb/main/materialized_query_result.hpp"
#include "duckdb/main/pending_query_result.hpp"
#endif

//! Results and running queries. 2.0 has one class for what 1.5 has in three.

namespace duckherder {

#if DUCKHERDER_DUCKDB_MAJOR < 2

using CollectedResult = duckdb::MaterializedQueryResult;
using RunningQuery = duckdb::PendingQueryResult;

//! Plans the statement, and starts it on the threads of the database
inline duckdb::unique_ptr<RunningQuery> Start(duckdb::ClientContext &context,
                                              duckdb::unique_ptr<duckdb::SQLStatement> statement) {
	return context.PendingQuery(std::move(statement), duckdb::QueryParameters(false));
}

//! Takes part until the query has ended, and throws its error
inline void Complete(RunningQuery &query) {
	auto result = query.Execute();
	if (result->HasError()) {
		result->ThrowError();
	}
}

#else

using CollectedResult = duckdb::QueryResult;
using RunningQuery = duckdb::QueryResult;

inline duckdb::unique_ptr<RunningQuery> Start(duckdb::ClientContext &context,
                                              duckdb::unique_ptr<duckdb::SQLStatement> statement) {
	return context.Submit(std::move(statement), duckdb::QueryParameters());
}

inline void Complete(RunningQuery &query) {
	query.Complete();
	query.ThrowIfError();
}

#endif

//! Of a result collector whose rows go elsewhere: a result of its columns without rows
inline duckdb::unique_ptr<duckdb::QueryResult> EmptyResult(const duckdb::PhysicalResultCollector &collector) {
	auto nothing =
	    duckdb::make_uniq<duckdb::ColumnDataCollection>(duckdb::Allocator::DefaultAllocator(), collector.types);
	return duckdb::make_uniq<CollectedResult>(collector.statement_type, collector.properties, collector.names,
	                                          std::move(nothing), duckdb::ClientProperties());
}

} // namespace duckherder
