#pragma once

#include "protocol/database_service.hpp"
#include "protocol/messages.hpp"

#include <string>
#include <vector>

//! Requests and replies of calls that carry no rows, where no message of a service serves. transport/flight/actions.hpp
//! says which call has which of them. Plain data; wire/messages.hpp makes bytes of them.
namespace duckherder {

//! The reply of a call that only succeeds or fails, and the request of one that needs to say nothing.
struct Nothing {};

struct WorkerRequest {
	WorkerId worker;
};

struct WorkerQueryRequest {
	WorkerId worker;
	QueryId query;
};

struct RenewLeaseRequest {
	WorkerId worker;
	QueryId query;
	//! Locations of workers that the query has lost: outputs of theirs are not waited for
	std::vector<std::string> lost_locations;
};

struct LoadExtensionRequest {
	WorkerId worker;
	std::string extension;
};

struct UnregisterWorkerRequest {
	WorkerId worker;
	std::string incarnation;
};

struct HeartbeatReply {
	//! false: the driver does not know this incarnation of the worker, which has to register again
	bool known = false;
};

struct WorkerList {
	std::vector<WorkerInfo> workers;
};

struct AdmitQueryRequest {
	QueryId query;
	std::string session;
	uint64_t wait_ms = 0;
};

struct AdmitQueryReply {
	//! false: the query still has to wait
	bool admitted = false;
};

struct QueryRequest {
	QueryId query;
};

struct QueriesRequest {
	std::vector<QueryId> queries;
};

//! Those of a QueriesRequest that an administrator wants to be ended.
struct KilledQueries {
	std::vector<QueryId> queries;
};

struct QueryReports {
	std::vector<QueryReport> queries;
};

struct SessionCallRequest {
	SessionId session;
};

struct SessionsRequest {
	std::vector<SessionId> sessions;
};

struct SessionProgress {
	//! Of what each session runs, from 0 to 100; -1 if that is not known. In the order of the request.
	std::vector<double> percent;
};

struct ListCatalogRequest {
	SessionId session;
	//! Whether the caller has a listing, and of which version
	bool knows = false;
	uint64_t known_version = 0;
};

struct DescribeRequest {
	SessionId session;
	std::string sql;
};

struct TableEstimates {
	std::vector<TableEstimate> tables;
};

} // namespace duckherder
