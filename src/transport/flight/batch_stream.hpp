#pragma once

#include "transport/flight/flight_connections.hpp"

#include "duckdb/common/types.hpp"
#include "duckdb/common/vector.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace duckherder {

//! The call that brings the batches of an output, or of a result. It is made at once, and waited for when batches are
//! needed, so that whoever asked can give up a node that does not answer.
class BatchStream {
public:
	using Batch = std::shared_ptr<arrow::RecordBatch>;

	//! `peer`: the node's name in errors. `query`: whose calls this one belongs to.
	BatchStream(std::shared_ptr<FlightConnections> connections, const std::string &location, std::string peer,
	            const std::string &query, const std::string &ticket);
	//! Cuts the call unless it has ended
	~BatchStream();

	//! Checked against its frame. Null at the end, after which it must not be called again. Errors of the node, or that
	//! the stream broke off; InterruptException after Cancel. One thread at a time.
	Batch Read();
	//! Whoever reads throws, and the node ends what it does for us. Nothing if the stream has ended. Any thread.
	void Cancel();

private:
	class Opening;

	void Cut();
	void Open();
	arrow::flight::FlightStreamChunk ReadMessage();

	std::shared_ptr<FlightConnections> connections;
	std::shared_ptr<FlightConnections::Connection> connection;
	const std::string peer;
	std::shared_ptr<Opening> opening;
	//! Guards the pointer: it is set by the reader, and used by whoever cuts the call
	std::mutex lock;
	std::unique_ptr<arrow::flight::FlightStreamReader> stream;
	//! That Read has returned
	uint64_t rows = 0;
	std::atomic<bool> ended {false};
	std::atomic<bool> cancelled {false};
	std::optional<OngoingCalls::Entry> ongoing;
};

} // namespace duckherder
