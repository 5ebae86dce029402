#pragma once

#include "wire/chunk_codec.hpp"
#include "protocol/database_service.hpp"

#include <arrow/flight/server.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace duckherder {

//! The result of a statement as a Flight stream, which is made ahead by a thread of its own: batches, then an empty one
//! with the end frame, or with the error that ended it. As long as there is nothing to send, empty ones say that we are
//! alive. Used by one thread; its destructor ends the statement.
class SentStatement : public arrow::flight::FlightDataStream {
public:
	//! `open` is called once by the other thread, with a check that holds as soon as nobody waits for rows any more:
	//! `gone`, or this stream has ended.
	SentStatement(duckdb::vector<duckdb::LogicalType> types,
	              std::function<std::shared_ptr<ChunkSource>(const GoneCheck &)> open, GoneCheck gone);
	~SentStatement() override;

	std::shared_ptr<arrow::Schema> schema() override;
	arrow::Result<arrow::flight::FlightPayload> GetSchemaPayload() override;
	arrow::Result<arrow::flight::FlightPayload> Next() override;

private:
	void Produce();
	//! Until its end, or until nobody wants it any more: false
	bool Send(BatchReader &batches);
	bool Send(ChunkReader &chunks);
	//! False if nobody wants it any more
	bool Put(arrow::Result<arrow::flight::FlightPayload> payload, bool last);

	const duckdb::vector<duckdb::LogicalType> types;
	std::function<std::shared_ptr<ChunkSource>(const GoneCheck &)> open;
	GoneCheck gone;
	ChunkEncoder encoder;
	uint64_t row_count = 0;
	std::atomic<bool> stopped {false};
	std::mutex lock;
	std::condition_variable changed;
	std::deque<arrow::Result<arrow::flight::FlightPayload>> ready;
	//! The last payload is in `ready`, or was taken
	bool complete = false;
	std::thread producer;
};

} // namespace duckherder
