#pragma once

#include "client/remote_catalog.hpp"
#include "compat/operators.hpp"

#include "duckdb/parser/statement/explain_statement.hpp"
#include "duckdb/planner/logical_operator.hpp"

#include <optional>

namespace duckherder {

//! A plan as a fragment that names what the driver has as the driver does
std::string EncodeForDriver(duckdb::ClientContext &context, const duckdb::LogicalOperator &plan);
//! How a plan is run at a driver.
struct RemoteRun {
	//! The driver makes all rows first, as another plan of the statement runs there
	bool buffered = false;
	struct Explain {
		duckdb::ExplainType type;
		PlanFormat format;
	};
	//! It is explained: its rows are those of EXPLAIN
	std::optional<Explain> explain;
};

//! Runs a plan (a fragment) in the context's transaction at the driver.
std::shared_ptr<ChunkSource> RunRemotePlan(duckdb::ClientContext &context, RemoteCatalog &catalog, std::string plan,
                                           const duckdb::vector<duckdb::LogicalType> &types, const RemoteRun &run);
//! Runs SQL text there.
std::shared_ptr<ChunkSource> RunRemoteText(duckdb::ClientContext &context, RemoteCatalog &catalog,
                                           const std::string &sql, const duckdb::vector<duckdb::LogicalType> &types);
//! Runs SQL text there, to its end; its rows are not wanted.
void RunRemoteSql(duckdb::ClientContext &context, RemoteCatalog &catalog, const std::string &sql);
//! Runs an encoded definition there, to its end.
void RunRemoteDefinition(duckdb::ClientContext &context, RemoteCatalog &catalog, const std::string &definition);

} // namespace duckherder
