#pragma once

#include "protocol/chunk_source.hpp"
#include "transport/flight/flight_protocol.hpp"

#include "duckdb/common/error_data.hpp"

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

namespace arrow {
class RecordBatch;
}

namespace duckherder {

//! A feed as it arrives: a bounded queue of batches between the thread that receives them and the readers, each of
//! which decodes the batches that it takes. Thread-safe.
class ReceivedFeed : public ChunkSource, public std::enable_shared_from_this<ReceivedFeed> {
public:
	explicit ReceivedFeed(duckdb::vector<duckdb::LogicalType> types);

	//! Before it is read: what to do once the task asks for its first rows, on the thread that does. Called once.
	void OnFirstReader(std::function<void()> action);

	//! Waits for room. Batches that nobody will read any more are dropped.
	void Push(std::shared_ptr<arrow::RecordBatch> batch);
	//! The sender says how it ended; not called means that it goes on. Only the first call counts.
	void End(const flight_protocol::StreamFrame &frame);
	//! Something went wrong on the way: readers throw it
	void Fail(const std::exception &error);
	//! The task has ended: Push drops everything from now on
	void Discard();

	const duckdb::vector<duckdb::LogicalType> &Types() const override;
	duckdb::idx_t MaxReaders() const override;
	std::unique_ptr<ChunkReader> OpenReader() override;
	void Cancel() override;

private:
	friend class ReceivedFeedReader;

	//! Null at the end. Throws how the feed ended if that was no good end.
	std::shared_ptr<arrow::RecordBatch> Take(duckdb::idx_t &batch_index);

	//! With the lock
	void DropQueue();

	const duckdb::vector<duckdb::LogicalType> types;
	std::mutex lock;
	std::function<void()> on_first_reader;
	std::condition_variable changed;
	struct Batch {
		std::shared_ptr<arrow::RecordBatch> rows;
		uint64_t bytes = 0;
	};
	std::deque<Batch> queue;
	//! Of all batches in the queue
	uint64_t queued_bytes = 0;
	duckdb::idx_t taken = 0;
	uint64_t rows = 0;
	bool ended = false;
	bool discarding = false;
	bool cancelled = false;
	std::optional<duckdb::ErrorData> error;
};

} // namespace duckherder
