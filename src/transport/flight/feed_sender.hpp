#pragma once

#include "protocol/chunk_source.hpp"

#include <arrow/flight/client.h>

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

namespace duckherder {

class ChunkEncoder;

//! Sends the rows of a feed over the stream of its task, on threads of its own, because the task may end before it has
//! read them all. As many threads as the feed says read and encode it. Each has one batch at a time, and they take
//! turns in writing. Used by one thread.
class FeedSender {
public:
	//! `feed`: null if the task is not fed
	FeedSender(arrow::flight::FlightStreamWriter &writer, std::shared_ptr<ChunkSource> feed);
	~FeedSender();

	//! Not before the worker has said that it reads the feed: of one that refuses the task nothing was taken.
	//! Idempotent
	void Start();
	//! Nobody needs the rest. Waits for the threads.
	void Stop();

private:
	void Run();
	arrow::Status Send();
	//! What each of the threads does. It throws nothing.
	void ReadAndWrite();
	arrow::Status WriteAll(ChunkEncoder &encoder);
	arrow::Status Write(const arrow::RecordBatch &batch);

	arrow::flight::FlightStreamWriter &writer;
	std::shared_ptr<ChunkSource> feed;
	std::atomic<bool> stopping {false};
	std::atomic<uint64_t> rows {0};
	std::thread thread;
	//! Held while a batch is written, which waits for room at the worker
	std::mutex writing;
	//! Some thread could not go on, so that none has to
	std::atomic<bool> failed {false};
	//! Of what follows, which is looked at when all threads have ended
	std::mutex failing;
	std::exception_ptr failure;
	arrow::Status broken_stream;
};

} // namespace duckherder
