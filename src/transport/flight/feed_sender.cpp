#include "transport/flight/feed_sender.hpp"

#include "wire/chunk_codec.hpp"
#include "wire/errors.hpp"
#include "transport/flight/flight_protocol.hpp"

#include "duckdb.hpp"

#include <arrow/record_batch.h>

#include <system_error>
#include <vector>

namespace duckherder {

using flight_protocol::FrameBuffer;

FeedSender::FeedSender(arrow::flight::FlightStreamWriter &writer_p, std::shared_ptr<ChunkSource> feed_p)
    : writer(writer_p), feed(std::move(feed_p)) {
}

FeedSender::~FeedSender() {
	Stop();
}

void FeedSender::Start() {
	if (feed && !thread.joinable()) {
		thread = std::thread([this] { Run(); });
	}
}

void FeedSender::Stop() {
	stopping = true;
	if (thread.joinable()) {
		thread.join();
	}
}

void FeedSender::Run() {
	try {
		auto status = Send();
		// A stream that does not take our rows tells its reader why.
		if (!status.ok()) {
			feed->Cancel();
		}
	} catch (std::exception &error) {
		auto ignored = writer.WriteMetadata(FrameBuffer(flight_protocol::ErrorFrame(ToTaskError(error, ""))));
		static_cast<void>(ignored);
	}
}

arrow::Status FeedSender::Send() {
	ARROW_RETURN_NOT_OK(writer.Begin(WireSchema(feed->Types())));
	std::vector<std::thread> others;
	try {
		for (duckdb::idx_t i = 1; i < feed->SendingThreads(); i++) {
			others.emplace_back([this] { ReadAndWrite(); });
		}
	} catch (std::system_error &) {
		// Fewer threads send the same rows.
	}
	ReadAndWrite();
	for (auto &other : others) {
		other.join();
	}
	if (failure) {
		std::rethrow_exception(failure);
	}
	if (stopping || !broken_stream.ok()) {
		return broken_stream;
	}
	return writer.WriteMetadata(FrameBuffer(flight_protocol::EndFrame(rows)));
}

void FeedSender::ReadAndWrite() {
	std::exception_ptr thrown;
	arrow::Status status;
	try {
		ChunkEncoder encoder(feed->Types());
		status = WriteAll(encoder);
		rows += encoder.RowCount();
	} catch (...) {
		thrown = std::current_exception();
	}
	if (!thrown && status.ok()) {
		return;
	}
	std::lock_guard<std::mutex> guard(failing);
	if (!failed) {
		failure = thrown;
		broken_stream = std::move(status);
		failed = true;
	}
}

arrow::Status FeedSender::WriteAll(ChunkEncoder &encoder) {
	auto reader = feed->OpenReader();
	duckdb::DataChunk chunk;
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), feed->Types());
	while (!stopping && !failed) {
		chunk.Reset();
		reader->Next(chunk);
		if (chunk.size() == 0) {
			break;
		}
		duckdb::idx_t position = 0;
		while (position < chunk.size()) {
			if (auto batch = encoder.Append(chunk, position)) {
				ARROW_RETURN_NOT_OK(Write(*batch));
			}
		}
	}
	if (stopping || failed) {
		return arrow::Status::OK();
	}
	if (auto batch = encoder.Flush()) {
		ARROW_RETURN_NOT_OK(Write(*batch));
	}
	return arrow::Status::OK();
}

arrow::Status FeedSender::Write(const arrow::RecordBatch &batch) {
	ARROW_ASSIGN_OR_RAISE(auto frame, flight_protocol::RowsFrame(batch));
	std::lock_guard<std::mutex> guard(writing);
	return writer.WriteWithMetadata(batch, std::move(frame));
}

} // namespace duckherder
