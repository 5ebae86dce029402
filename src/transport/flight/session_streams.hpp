#pragma once

#include "protocol/database_service.hpp"

#include <arrow/flight/server.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace duckherder {

//! The streams of clients that use a driver's database, at the driver: results, and rows that they send.
class SessionStreams {
public:
	explicit SessionStreams(std::shared_ptr<DatabaseService> database);

	//! `context` is valid as long as the stream
	std::unique_ptr<arrow::flight::FlightDataStream> Result(const arrow::flight::ServerCallContext &context,
	                                                        const std::vector<std::string> &ticket,
	                                                        std::shared_ptr<std::atomic<bool>> stopping);
	//! Errors go to the caller as a frame
	void Upload(const std::vector<std::string> &descriptor, arrow::flight::FlightMessageReader &reader,
	            arrow::flight::FlightMetadataWriter &writer);

private:
	std::shared_ptr<DatabaseService> database;
};

} // namespace duckherder
