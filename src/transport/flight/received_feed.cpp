#include "transport/flight/received_feed.hpp"

#include "wire/chunk_codec.hpp"
#include "common/limits.hpp"

#include "duckdb/common/exception.hpp"

#include <arrow/record_batch.h>

#include <thread>

namespace duckherder {

using duckdb::DataChunk;
using duckdb::idx_t;

class ReceivedFeedReader : public ChunkReader {
public:
	explicit ReceivedFeedReader(std::shared_ptr<ReceivedFeed> feed_p) : feed(std::move(feed_p)), decoder(feed->types) {
	}

	void Next(DataChunk &chunk) override {
		while (true) {
			decoder.Next(chunk);
			if (chunk.size() > 0) {
				return;
			}
			auto batch = feed->Take(batch_index);
			if (!batch) {
				return;
			}
			decoder.SetBatch(std::move(batch));
		}
	}

	idx_t BatchIndex() const override {
		return batch_index;
	}

private:
	std::shared_ptr<ReceivedFeed> feed;
	ChunkDecoder decoder;
	idx_t batch_index = 0;
};

ReceivedFeed::ReceivedFeed(duckdb::vector<duckdb::LogicalType> types_p) : types(std::move(types_p)) {
}

void ReceivedFeed::Push(std::shared_ptr<arrow::RecordBatch> batch) {
	auto bytes = BytesOf(*batch);
	std::unique_lock<std::mutex> guard(lock);
	changed.wait(guard, [&] {
		return queue.empty() || queued_bytes + bytes <= limits::FEED_QUEUE_BYTES || discarding || cancelled || ended;
	});
	rows += static_cast<uint64_t>(batch->num_rows());
	if (!discarding && !cancelled && !ended) {
		queued_bytes += bytes;
		queue.push_back({std::move(batch), bytes});
		changed.notify_all();
	}
}

void ReceivedFeed::End(const flight_protocol::StreamFrame &frame) {
	std::unique_lock<std::mutex> guard(lock);
	auto received = rows;
	guard.unlock();
	try {
		flight_protocol::CheckEnd(frame, received);
	} catch (std::exception &bad_end) {
		Fail(bad_end);
		return;
	}
	guard.lock();
	ended = true;
	changed.notify_all();
}

void ReceivedFeed::Fail(const std::exception &failure) {
	std::lock_guard<std::mutex> guard(lock);
	if (!ended) {
		ended = true;
		error = duckdb::ErrorData(failure);
		DropQueue();
	}
	changed.notify_all();
}

void ReceivedFeed::Discard() {
	std::lock_guard<std::mutex> guard(lock);
	discarding = true;
	DropQueue();
	changed.notify_all();
}

void ReceivedFeed::DropQueue() {
	queue.clear();
	queued_bytes = 0;
}

std::shared_ptr<arrow::RecordBatch> ReceivedFeed::Take(idx_t &batch_index) {
	std::unique_lock<std::mutex> guard(lock);
	changed.wait(guard, [&] { return !queue.empty() || ended || cancelled; });
	if (cancelled) {
		throw duckdb::InterruptException();
	}
	if (error) {
		error->Throw();
	}
	if (queue.empty()) {
		return nullptr;
	}
	auto batch = std::move(queue.front().rows);
	queued_bytes -= queue.front().bytes;
	queue.pop_front();
	batch_index = ++taken;
	changed.notify_all();
	return batch;
}

const duckdb::vector<duckdb::LogicalType> &ReceivedFeed::Types() const {
	return types;
}

idx_t ReceivedFeed::MaxReaders() const {
	return std::max(1U, std::thread::hardware_concurrency());
}

void ReceivedFeed::OnFirstReader(std::function<void()> action) {
	std::lock_guard<std::mutex> guard(lock);
	on_first_reader = std::move(action);
}

std::unique_ptr<ChunkReader> ReceivedFeed::OpenReader() {
	std::function<void()> action;
	{
		std::lock_guard<std::mutex> guard(lock);
		action.swap(on_first_reader);
	}
	if (action) {
		action();
	}
	return std::make_unique<ReceivedFeedReader>(shared_from_this());
}

void ReceivedFeed::Cancel() {
	std::lock_guard<std::mutex> guard(lock);
	cancelled = true;
	DropQueue();
	changed.notify_all();
}

} // namespace duckherder
