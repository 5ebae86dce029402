#pragma once

#include "engine/exchange_scan.hpp"
#include "protocol/chunk_source.hpp"

#include "duckdb.hpp"
#include "duckdb/main/client_context_state.hpp"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace duckherder {

//! Makes a source that delivers all rows of an exchange, with the types that the scan expects. Called once per scan: a
//! plan may scan an exchange twice.
using ChunkSourceFactory = std::function<std::shared_ptr<ChunkSource>(const duckdb::vector<duckdb::LogicalType> &)>;

//! Where the exchange scans of the query that runs on a connection find their rows. Kept in the connection's
//! registered_state for the time of one query. Thread-safe.
class TaskInputs : public duckdb::ClientContextState {
public:
	//! Connects `context` with these inputs, replacing earlier ones
	static void Install(duckdb::ClientContext &context, duckdb::shared_ptr<TaskInputs> inputs);
	static void Remove(duckdb::ClientContext &context);
	//! Null if no task runs on this connection
	static duckdb::shared_ptr<TaskInputs> Get(duckdb::ClientContext &context);

	//! An exchange that can be opened any number of times
	void Add(const ExchangeScanSource &source, ChunkSourceFactory factory);
	//! Rows that exist only once, like a feed: a second scan of them is an error
	void AddOnce(const ExchangeScanSource &source, std::shared_ptr<ChunkSource> rows);

	//! The rows of one scan. Throws InternalException if the task was given no such input, InterruptException if
	//! cancelled.
	std::shared_ptr<ChunkSource> Open(const ExchangeScanSource &source,
	                                  const duckdb::vector<duckdb::LogicalType> &types);

	//! Wakes all readers and lets later ones fail. Idempotent, any thread.
	void Cancel();

	//! Rows that the base scan of the task delivered, if its scan function was wrapped by CountRows
	std::atomic<uint64_t> scanned_rows {0};
	//! The scan function behind CountScannedRows; set before the plan runs
	duckdb::table_function_t counted_function = nullptr;

private:
	using Key = std::pair<bool, StageId>;

	std::mutex lock;
	std::map<Key, ChunkSourceFactory> factories;
	//! For Cancel only: who scans owns the source
	std::vector<std::weak_ptr<ChunkSource>> opened;
	bool cancelled = false;
};

//! Takes the place of a table function's scan: calls the real one (TaskInputs::counted_function) and counts its rows.
void CountScannedRows(duckdb::ClientContext &context, duckdb::TableFunctionInput &input, duckdb::DataChunk &output);

} // namespace duckherder
