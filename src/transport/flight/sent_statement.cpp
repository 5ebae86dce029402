#include "transport/flight/sent_statement.hpp"

#include "wire/errors.hpp"
#include "common/limits.hpp"
#include "transport/flight/rows_payload.hpp"

#include <arrow/record_batch.h>

#include <chrono>

namespace duckherder {

namespace flight = arrow::flight;

SentStatement::SentStatement(duckdb::vector<duckdb::LogicalType> types_p,
                             std::function<std::shared_ptr<ChunkSource>(const GoneCheck &)> open_p, GoneCheck gone_p)
    : types(std::move(types_p)), open(std::move(open_p)), gone(std::move(gone_p)), encoder(types),
      producer([this] { Produce(); }) {
}

SentStatement::~SentStatement() {
	{
		std::lock_guard<std::mutex> guard(lock);
		stopped = true;
	}
	changed.notify_all();
	producer.join();
}

std::shared_ptr<arrow::Schema> SentStatement::schema() {
	return encoder.Schema();
}

arrow::Result<flight::FlightPayload> SentStatement::GetSchemaPayload() {
	return SchemaPayload(*encoder.Schema());
}

bool SentStatement::Put(arrow::Result<flight::FlightPayload> payload, bool last) {
	std::unique_lock<std::mutex> guard(lock);
	changed.wait(guard, [&] { return stopped || ready.size() < limits::RESULT_QUEUE_BATCHES; });
	if (stopped) {
		return false;
	}
	ready.push_back(std::move(payload));
	complete = last;
	changed.notify_all();
	return true;
}

bool SentStatement::Send(BatchReader &batches) {
	while (auto batch = batches.Next()) {
		row_count += static_cast<uint64_t>(batch->num_rows());
		if (!Put(RowsPayload(*batch), false)) {
			return false;
		}
	}
	return true;
}

bool SentStatement::Send(ChunkReader &chunks) {
	duckdb::DataChunk chunk;
	chunk.Initialize(duckdb::Allocator::DefaultAllocator(), types);
	while (true) {
		chunk.Reset();
		chunks.Next(chunk);
		if (chunk.size() == 0) {
			break;
		}
		duckdb::idx_t position = 0;
		while (position < chunk.size()) {
			auto batch = encoder.Append(chunk, position);
			if (batch && !Put(RowsPayload(*batch), false)) {
				return false;
			}
		}
	}
	row_count = encoder.RowCount();
	auto batch = encoder.Flush();
	return !batch || Put(RowsPayload(*batch), false);
}

void SentStatement::Produce() {
	flight_protocol::StreamFrame frame;
	try {
		auto source = open([this] { return stopped || gone(); });
		auto batches = source->OpenBatchReader();
		if (batches ? !Send(*batches) : !Send(*source->OpenReader())) {
			return;
		}
		// the statement's end comes before the frame that says so: the next one may follow it at once
		batches.reset();
		source.reset();
		frame = flight_protocol::EndFrame(row_count);
	} catch (std::exception &error) {
		frame = flight_protocol::ErrorFrame(ToTaskError(error, ""));
	}
	Put(FramePayload(encoder.Schema(), frame), true);
}

arrow::Result<flight::FlightPayload> SentStatement::Next() {
	std::unique_lock<std::mutex> guard(lock);
	auto wait = std::chrono::milliseconds(limits::KEEPALIVE_INTERVAL_MS);
	if (!changed.wait_for(guard, wait, [&] { return !ready.empty() || complete; })) {
		guard.unlock();
		return FramePayload(encoder.Schema(), flight_protocol::StreamFrame {flight_protocol::FrameKind::ALIVE, ""});
	}
	if (ready.empty()) {
		return flight::FlightPayload();
	}
	auto payload = std::move(ready.front());
	ready.pop_front();
	changed.notify_all();
	return payload;
}

} // namespace duckherder
