#pragma once

#include "extension/session_state.hpp"
#include "main/command_line.hpp"
#include "main/node_log.hpp"
#include "main/node_pages.hpp"
#include "server/client_sessions.hpp"
#include "transport/node/flight_node.hpp"
#include "web/trace_exporter.hpp"

#include <memory>
#include <string>

namespace duckherder {

//! A driver as its flags say: workers register with it, and clients attach its database. Used by one thread.
class DriverNode {
public:
	//! What the driver serves, which lives longer than it
	struct Served {
		duckdb::DatabaseInstance &instance;
		DatabaseState &state;
		//! What clients get that name no database; empty: the instance's own
		std::string main_database = {};
		//! The file of the history, which no client may reach; empty: there is none
		std::string history = {};
	};

	//! Reads the flags. Throws UsageError, and what reading tokens and certificates throws.
	DriverNode(const CommandLine &flags, const Served &served);
	//! Stops
	~DriverNode();

	//! Listens, and locks the database down if there are clients with roles. Once. Throws what FlightNode::Start and
	//! HttpServer::Start throw.
	void Start();
	//! Writes to the log what has happened; to be called now and then.
	void Look();
	//! Idempotent
	void Stop();

	//! After Start
	std::string Location() const;
	//! Of its pages; empty: it has none
	const std::string &PagesUrl() const;

private:
	const CommandLine flags;
	const Served served;
	const FlightNodeOptions options;
	AdmissionLimits admission;
	const uint64_t worker_wait_ms;
	ClusterLog log;
	FlightNode node;
	std::shared_ptr<ClientSessions> sessions;
	NodePages pages;
	std::unique_ptr<TraceExporter> traces;
};

} // namespace duckherder
