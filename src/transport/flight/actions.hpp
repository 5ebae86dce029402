#pragma once

#include "protocol/calls.hpp"
#include "protocol/role.hpp"

//! The calls without rows: Flight's DoAction. The body of an action is its request, that of the answer a StreamFrame
//! with its reply or an error, both in the form of flight_protocol::Pack.
//!
//! A new action: its line here, its handler in flight_node.cpp, and the method of a client that calls it. Its request
//! and reply are messages of wire/messages.hpp.
namespace duckherder {

template <class REQUEST, class REPLY>
struct Action {
	using Request = REQUEST;
	using Reply = REPLY;
	//! On the wire
	const char *name;
	//! Who may call it: this role, and all that may do more
	Role role;
};

namespace actions {

// At a worker
inline constexpr Action<WorkerRequest, WorkerInfo> GET_INFO {"duckherder.get_info", Role::READ};
inline constexpr Action<WorkerQueryRequest, Nothing> CANCEL_QUERY {"duckherder.cancel_query", Role::ADMIN};
inline constexpr Action<RenewLeaseRequest, Nothing> RENEW_LEASE {"duckherder.renew_lease", Role::NODE};
inline constexpr Action<LoadExtensionRequest, Nothing> LOAD_EXTENSION {"duckherder.load_extension", Role::ADMIN};

inline constexpr Action<WorkerRequest, Nothing> DRAIN {"duckherder.drain", Role::ADMIN};

// At a driver
inline constexpr Action<WorkerInfo, Nothing> REGISTER_WORKER {"duckherder.register_worker", Role::NODE};
inline constexpr Action<WorkerInfo, HeartbeatReply> HEARTBEAT {"duckherder.heartbeat", Role::NODE};
inline constexpr Action<UnregisterWorkerRequest, Nothing> UNREGISTER_WORKER {"duckherder.unregister_worker",
                                                                             Role::ADMIN};
inline constexpr Action<Nothing, WorkerList> LIST_WORKERS {"duckherder.list_workers", Role::READ};
inline constexpr Action<AdmitQueryRequest, AdmitQueryReply> ADMIT_QUERY {"duckherder.admit_query", Role::NODE};
inline constexpr Action<QueriesRequest, KilledQueries> RENEW_LEASES {"duckherder.renew_leases", Role::NODE};
inline constexpr Action<QueryRequest, Nothing> RELEASE_QUERY {"duckherder.release_query", Role::NODE};
inline constexpr Action<QueryReports, Nothing> REPORT_QUERIES {"duckherder.report_queries", Role::NODE};

// At a driver's database
inline constexpr Action<SessionRequest, SessionInfo> OPEN_SESSION {"duckherder.open_session", Role::READ};
inline constexpr Action<SessionCallRequest, Nothing> CLOSE_SESSION {"duckherder.close_session", Role::READ};
inline constexpr Action<SessionsRequest, SessionProgress> RENEW_SESSIONS {"duckherder.renew_sessions", Role::READ};
inline constexpr Action<ListCatalogRequest, CatalogListing> LIST_CATALOG {"duckherder.list_catalog", Role::READ};
inline constexpr Action<DescribeRequest, ResultShape> DESCRIBE {"duckherder.describe", Role::READ};
inline constexpr Action<SessionCallRequest, TableEstimates> ESTIMATE_ROWS {"duckherder.estimate_rows", Role::READ};
inline constexpr Action<SessionCallRequest, Nothing> COMMIT {"duckherder.commit", Role::READ};
inline constexpr Action<SessionCallRequest, Nothing> ROLLBACK {"duckherder.rollback", Role::READ};

} // namespace actions
} // namespace duckherder
