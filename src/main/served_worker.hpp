#pragma once

#include "main/command_line.hpp"
#include "main/node_commands.hpp"
#include "main/node_options.hpp"
#include "main/node_pages.hpp"
#include "main/registration.hpp"
#include "transport/node/flight_node.hpp"
#include "worker/worker_node.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace duckherder {

//! A worker as its flags say: it has a DuckDB of its own, and listens. Its owner calls Register, Run, Drain and Stop in
//! this order, from one thread.
class ServedWorker {
public:
	//! Waits as long as it is told, and says whether the wait is over for good.
	using StopWait = std::function<bool(uint64_t wait_ms)>;

	//! Opens the database and listens. `wrap` may be null. Throws UsageError, and what reading tokens and certificates,
	//! the init file, and listening throw.
	ServedWorker(const CommandLine &flags, NodeHost host, WrapWorker wrap = nullptr);
	//! Stops
	~ServedWorker();

	//! With --driver, if there is one; see Registration. False if it was stopped meanwhile.
	bool Register(const StopWait &stopped);
	//! Works until it is stopped, or somebody asks it to drain. False if it cannot go on: in a program if its database
	//! is invalid; within another process the worker gets a new one, unless that fails.
	bool Run(const StopWait &stopped);
	//! Takes no new tasks, finishes those that run, and stays as long as a query may read what they have made, at most
	//! as long as --drain-timeout says, or until it is stopped.
	void Drain(const StopWait &stopped);
	//! After Run has failed: no driver gives it tasks any more. Idempotent.
	void Unregister();
	//! After Run has failed: those that wait for a task are told what has happened.
	void AwaitIdleTasks();
	//! Unregisters and ends at once: running tasks fail. Idempotent.
	void Stop();

	//! See WorkerNode. Any thread may call it.
	void RelieveMemory(const std::string &error);
	const std::string &Id() const;
	std::string Location() const;
	//! Of health and metrics; empty: they are nowhere
	const std::string &MetricsUrl() const;
	duckdb::DatabaseInstance &Database() const;

private:
	//! The present one
	std::shared_ptr<WorkerNode> Node() const;
	void MakeNode();
	//! Says whether there is a new one.
	bool RenewNode();
	void DropFormer();

	const CommandLine flags;
	const NodeHost host;
	const WrapWorker wrap;
	const FlightNodeOptions flight_options;
	const FlightClientSettings peer_settings;
	const uint64_t drain_timeout_ms;
	const uint64_t driver_timeout_ms;
	WorkerNodeOptions node_options;
	NodeResources resources;
	FlightNode flight;
	WorkerAddress address;
	mutable std::mutex lock;
	std::shared_ptr<duckdb::DuckDB> database;
	std::shared_ptr<WorkerNode> node;
	//! Those whose databases are invalid, until their tasks have ended
	std::vector<std::shared_ptr<WorkerNode>> former;
	std::unique_ptr<Registration> registration;
	NodePages pages;
};

} // namespace duckherder
