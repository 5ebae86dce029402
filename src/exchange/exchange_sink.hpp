#pragma once

#include "exchange/output_buffer.hpp"
#include "plan/stage_graph.hpp"

#include "duckdb.hpp"
#include "duckdb/main/client_config.hpp"

#include <functional>
#include <memory>

namespace duckherder {

//! Makes the next query of `context` write its rows into `output`, partitioned inside DuckDB's parallel sink, instead
//! of returning them. The caller resets ClientConfig::get_result_collector afterwards. If `exchange.ordered` and the
//! plan defines an order, the rows of each partition come out in it, else in any order. `output` has the types of the
//! first exchange.column_count columns of the plan (0: all); it must live until the query is done, and holds all rows
//! only if the query succeeded: then the sink has called its Finish. `on_planned` is called once the query is planned
//! and an interrupt of `context` would end it.
void InstallExchangeSink(duckdb::ClientContext &context, const Exchange &exchange, std::shared_ptr<OutputBuffer> output,
                         std::function<void()> on_planned = nullptr);
void RemoveExchangeSink(duckdb::ClientContext &context);

} // namespace duckherder
