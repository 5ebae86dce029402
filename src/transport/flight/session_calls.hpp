#pragma once

#include "protocol/database_service.hpp"
#include "transport/credentials/access.hpp"

#include <arrow/flight/server.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace duckherder {

//! The calls of clients that use a driver's database, at the driver. What they may do there is their role's: with
//! 'read' all their transactions are read only.
class SessionCalls {
public:
	SessionCalls(std::shared_ptr<DatabaseService> database, Role role);

	//! Whether this is one of our actions
	static bool Knows(const std::string &action);
	//! `peer`: of the caller's connection
	std::string Act(const arrow::flight::Action &action, const std::string &peer);
	//! `context` is valid as long as the stream
	std::unique_ptr<arrow::flight::FlightDataStream> Result(const arrow::flight::ServerCallContext &context,
	                                                        const std::vector<std::string> &ticket,
	                                                        std::shared_ptr<std::atomic<bool>> stopping);
	//! Errors go to the caller as a frame
	void Upload(const std::vector<std::string> &descriptor, arrow::flight::FlightMessageReader &reader,
	            arrow::flight::FlightMetadataWriter &writer);

private:
	std::shared_ptr<DatabaseService> database;
	Role role;
};

} // namespace duckherder
