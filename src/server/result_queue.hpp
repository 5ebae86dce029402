#pragma once

#include "duckdb.hpp"
#include "duckdb/parallel/interrupt.hpp"

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

namespace arrow {
class RecordBatch;
} // namespace arrow

namespace duckherder {

//! Some rows of a result, in one of two forms
struct ResultRows {
	duckdb::unique_ptr<duckdb::DataChunk> chunk;
	std::shared_ptr<arrow::RecordBatch> batch;
	duckdb::idx_t bytes = 0;

	explicit operator bool() const {
		return chunk || batch;
	}
};

//! Rows of a running query on their way to one reader: at most about RESULT_QUEUE_BYTES, then the query's threads do
//! something else until some are taken. Thread-safe.
class ResultQueue {
public:
	//! The statement is planned, its rows have these types
	void Begin(duckdb::vector<duckdb::LogicalType> result_types);
	//! Waits for Begin, and throws the error of Fail if that comes first
	const duckdb::vector<duckdb::LogicalType> &WaitForTypes();

	//! False if there is no room: `interrupt` is called back when there is. True as well when nobody reads any more;
	//! IsClosed tells.
	bool HasRoom(const duckdb::InterruptState &interrupt);
	//! Whether there is room or not. Dropped when nobody reads any more.
	void Put(ResultRows rows);
	//! No rows follow
	void Finish();
	//! Nor do any, because of this
	void Fail(duckdb::ErrorData error);

	//! Waits for rows, at most WAIT_SLICE_MS. Null: `at_end` says whether the end was reached, or nothing came yet.
	//! Throws the error of Fail.
	ResultRows Take(bool &at_end);
	//! Nobody reads any more
	void Close();
	bool IsClosed();

private:
	void WakeSinks();

	std::mutex lock;
	std::condition_variable changed;
	std::deque<ResultRows> ready;
	duckdb::idx_t bytes = 0;
	std::vector<duckdb::InterruptState> waiting;
	duckdb::vector<duckdb::LogicalType> types;
	bool begun = false;
	duckdb::ErrorData error;
	bool finished = false;
	bool closed = false;
};

//! The next query of the connection puts its rows there, in their order if it has one, until the sink is removed: as
//! chunks, or with `encoded` as batches of a ChunkEncoder.
void InstallResultQueue(duckdb::ClientContext &context, std::shared_ptr<ResultQueue> queue, bool encoded);
void RemoveResultQueue(duckdb::ClientContext &context);

} // namespace duckherder
